//! A pipeline file as a whole.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::overrides::Applied;
use super::variables::{substitute, variables_in, visit_strings};
use super::{LocatedError, Override, Secrets, Table};
use crate::ConfigError;

/// A pipeline file: its text, and what the command line put in place of parts of it.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    file: PathBuf,
    text: String,
    overrides: Vec<Applied>,
    variables: Vec<(String, String)>,
    pub(super) secrets: Secrets,
}

/// Without the values of variables, which may be secret.
impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, overrides, secrets, .. } = self;
        f.debug_struct("Document")
            .field("file", file)
            .field("overrides", overrides)
            .field("secrets", secrets)
            .finish_non_exhaustive()
    }
}

impl Document {
    /// Takes the text of `file`, with `overrides` in place of what it says. An empty path means that the text is of no file that
    /// anybody could look into: errors then name settings alone.
    ///
    /// `${NAME}` inside a string value is replaced by the environment variable `NAME`, once, here; `$${` stands for a
    /// literal `${`.
    ///
    /// # Errors
    /// When the text is not TOML, an override's path leads through something that is no table, or a variable is not set.
    pub fn parse(
        file: impl Into<PathBuf>,
        text: impl Into<String>,
        overrides: Vec<Override>,
    ) -> Result<Self, LocatedError> {
        Self::parse_with_env(file, text, overrides, |name| std::env::var(name).ok())
    }

    /// As [`Document::parse`], with variables from `lookup` instead of the environment.
    ///
    /// # Errors
    /// As for [`Document::parse`].
    pub fn parse_with_env(
        file: impl Into<PathBuf>,
        text: impl Into<String>,
        overrides: Vec<Override>,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, LocatedError> {
        let mut inner = Inner {
            file: file.into(),
            text: text.into(),
            overrides: Vec::new(),
            variables: Vec::new(),
            secrets: Secrets::default(),
        };
        for written in overrides {
            let next = inner.with_raw_tree(|tree| Applied::resolve(written, tree))?;
            inner.overrides.push(next);
        }
        let mut names = Vec::new();
        inner.with_raw_tree(|tree| {
            visit_strings(tree, &mut Vec::new(), &mut |path, value, span| {
                names.extend(variables_in(value).into_iter().map(|name| (name, path.to_vec(), span.clone())));
            });
        })?;
        let mut secret = Vec::new();
        for (name, path, span) in names {
            match lookup(&name) {
                Some(value) => {
                    if !Secrets::is_plain(&path) {
                        secret.push((name.clone(), value.clone()));
                    }
                    inner.variables.push((name, value));
                }
                None => {
                    let mut error =
                        inner.error(Some(span), &path, format!("the environment variable {name} is not set"));
                    error.help = Some(format!("set {name}, or write $${{{name}}} if the text is meant literally"));
                    return Err(error);
                }
            }
        }
        inner.secrets = Secrets::new(secret);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What must not be shown: the values of environment variables.
    pub fn secrets(&self) -> Secrets {
        self.inner.secrets.clone()
    }

    /// The file's path.
    pub fn file(&self) -> &Path {
        &self.inner.file
    }

    /// The whole document as a table.
    pub fn root(&self) -> Table {
        Table::root(self.clone())
    }
}

impl Inner {
    fn parse(&self) -> Result<Spanned<DeTable<'_>>, LocatedError> {
        DeTable::parse(&self.text).map_err(|error| {
            let mut message = error.message().to_owned();
            if message == "duplicate key"
                && let Some(key) = error.span().and_then(|span| self.text.get(span))
            {
                message = format!("duplicate key `{}`", key.trim());
            }
            self.error(error.span(), &[], message)
        })
    }

    /// Runs `read` on the tree as it stands after overrides.
    fn with_raw_tree<R>(&self, read: impl FnOnce(&mut DeTable<'_>) -> R) -> Result<R, LocatedError> {
        let mut tree = self.parse()?;
        for next in &self.overrides {
            next.apply(tree.get_mut()).map_err(|ConfigError { key, message, help }| LocatedError {
                file: next.origin(),
                place: None,
                key,
                message,
                help,
            })?;
        }
        Ok(read(tree.get_mut()))
    }

    /// Runs `read` on the tree as it stands after overrides and variables.
    pub(super) fn with_tree<R>(&self, read: impl FnOnce(&mut DeTable<'_>) -> R) -> Result<R, LocatedError> {
        self.with_raw_tree(|tree| {
            visit_strings(tree, &mut Vec::new(), &mut |_, value, _| {
                if value.contains("${") {
                    *value = substitute(value, &self.variables).into();
                }
            });
            read(tree)
        })
    }

    /// The override that put there what stands at `path`.
    pub(super) fn overriding(&self, path: &[String]) -> Option<&Applied> {
        self.overrides.iter().rev().find(|applied| applied.made(path))
    }

    /// An error about what stands at `path`, in the file at `span` unless an override put it there. Values of variables are
    /// taken out of the message.
    pub(super) fn error(&self, span: Option<Range<usize>>, path: &[String], message: String) -> LocatedError {
        let key = path.join(".");
        let message = self.secrets.redact(&message).into_owned();
        if let Some(applied) = self.overriding(path) {
            return LocatedError { file: applied.origin(), place: None, key, message, help: None };
        }
        let span = span.filter(|span| *span != (0..0) && !self.file.as_os_str().is_empty());
        let place = span.map(|span| {
            let before = &self.text[..floor_char_boundary(&self.text, span.start)];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
        });
        LocatedError { file: self.file.clone(), place, key, message, help: None }
    }
}

fn floor_char_boundary(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}
