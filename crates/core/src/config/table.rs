//! One table of a pipeline file.

use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::names::nearest_known;
use super::tree::{lookup, span_of};
use super::wording::{in_plain_words, kind};
use super::{Document, LocatedError};
use crate::ConfigError;

/// One table of a document, not yet read.
#[derive(Debug, Clone)]
pub struct Table {
    document: Document,
    path: Vec<String>,
    /// Keys that somebody else has read already.
    without: Vec<&'static str>,
}

impl Table {
    pub(super) fn root(document: Document) -> Self {
        Self { document, path: Vec::new(), without: Vec::new() }
    }

    /// Where the table stands in the file, such as `operator.forecast`.
    pub fn path(&self) -> String {
        self.path.join(".")
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The document this table is part of.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The tables one level down whose values are tables, in the order of their names.
    ///
    /// # Errors
    /// When an entry is no table.
    pub fn subtables(&self, key: &str) -> Result<Vec<Table>, LocatedError> {
        let path = self.path_to([key]);
        let names = self.document.inner.with_tree(|tree| -> Result<Vec<String>, LocatedError> {
            let Some(value) = lookup(tree, &path) else { return Ok(Vec::new()) };
            let not_a_table = |value: &Spanned<DeValue<'_>>, path: &[String]| {
                let message = format!("expected a table, found {}", kind(value.get_ref()));
                self.document.inner.error(Some(value.span()), path, message)
            };
            let DeValue::Table(table) = value.get_ref() else { return Err(not_a_table(value, &path)) };
            for (name, value) in table {
                if !matches!(value.get_ref(), DeValue::Table(_)) {
                    return Err(not_a_table(value, &self.path_to([key, name.get_ref()])));
                }
            }
            Ok(table.keys().map(|name| name.get_ref().to_string()).collect())
        })??;
        Ok(names
            .into_iter()
            .map(|name| Table {
                document: self.document.clone(),
                path: self.path_to([key, &name]),
                without: Vec::new(),
            })
            .collect())
    }

    /// Reads one entry and leaves it out of what [`Table::read`] sees; `None` when it is not there.
    ///
    /// # Errors
    /// When it has another type.
    pub fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Result<Option<T>, LocatedError> {
        self.without.push(key);
        let path = self.path_to([key]);
        self.document.inner.with_tree(|tree| match lookup(tree, &path) {
            None => Ok(None),
            Some(value) => serde_path_to_error::deserialize(value.clone().into_deserializer())
                .map(Some)
                .map_err(|error| self.wrong_setting(tree, &path, &error)),
        })?
    }

    /// Reads the whole table, less what was taken.
    ///
    /// # Errors
    /// With the place of the entry that is wrong; an unknown entry is refused with the nearest name that is known.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, LocatedError> {
        self.document.inner.with_tree(|tree| {
            let (mut table, span) = if self.path.is_empty() {
                (tree.clone(), 0..0)
            } else {
                match lookup(tree, &self.path).map(|value| (value.get_ref(), value.span())) {
                    Some((DeValue::Table(table), span)) => (table.clone(), span),
                    _ => (DeTable::new(), 0..0),
                }
            };
            for key in &self.without {
                table.remove(*key);
            }
            serde_path_to_error::deserialize(Spanned::new(span, table).into_deserializer())
                .map_err(|error| self.wrong_setting(tree, &self.path, &error))
        })?
    }

    /// Gives an error found in this table's settings its place in the file.
    pub fn locate(&self, error: ConfigError) -> LocatedError {
        let inner = &self.document.inner;
        let path = self.path_to(error.key.split('.').filter(|part| !part.is_empty()));
        let span = inner.with_tree(|tree| (0..=path.len()).rev().find_map(|len| span_of(tree, &path[..len])));
        let mut located = inner.error(span.ok().flatten(), &path, error.message);
        located.help = error.help.map(|help| inner.secrets.redact(&help).into_owned());
        located
    }

    fn path_to<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Vec<String> {
        self.path.iter().cloned().chain(keys.into_iter().map(str::to_owned)).collect()
    }

    /// What serde says is wrong with what stands at `from`.
    fn wrong_setting(
        &self,
        tree: &DeTable<'_>,
        from: &[String],
        error: &serde_path_to_error::Error<toml::de::Error>,
    ) -> LocatedError {
        let inner = &self.document.inner;
        let complaint = error.inner().message().trim();
        let unknown = complaint.starts_with("unknown field");
        let SettingPath { path, index } = SettingPath::new(tree, from, error.path());
        let mut located = inner.error(error.inner().span(), &path, in_plain_words(complaint));
        located.help = nearest_known(complaint);
        if unknown {
            // The message names the entry; the key is that of the table it stands in.
            located.key = path[..path.len().saturating_sub(1)].join(".");
            if let ([_], Some(applied)) = (path.as_slice(), inner.overriding(&path)) {
                applied.leads_nowhere(tree, &mut located);
            }
        } else {
            located.key.push_str(&index);
        }
        located
    }
}

/// Serde's path to a value, as far as it can be followed in the file.
struct SettingPath {
    path: Vec<String>,
    /// The rest of the way, from the first list on: `[2].name`.
    index: String,
}

impl SettingPath {
    fn new(tree: &DeTable<'_>, from: &[String], way: &serde_path_to_error::Path) -> Self {
        let mut found = Self { path: from.to_vec(), index: String::new() };
        for segment in way {
            match segment {
                Segment::Seq { index } => found.index.push_str(&format!("[{index}]")),
                Segment::Map { key } => found.push(key),
                // A variant with contents is a key in TOML; one without is the value itself.
                Segment::Enum { variant } => {
                    found.push(variant);
                    if found.index.is_empty() && lookup(tree, &found.path).is_none() {
                        found.path.pop();
                    }
                }
                Segment::Unknown => break,
            }
        }
        found
    }

    fn push(&mut self, key: &str) {
        if self.index.is_empty() {
            self.path.push(key.to_owned());
        } else {
            self.index.push('.');
            self.index.push_str(key);
        }
    }
}
