//! Values from the command line in place of what the file says.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::tree::{lookup, paths_to, without_spans};
use super::wording::kind;
use super::{LocatedError, nearest};
use crate::ConfigError;

/// A value to put in place of what a file says: `operator.forecast.model.hidden=64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// As it was written.
    text: String,
    path: Vec<String>,
    /// The value as TOML.
    value: String,
}

impl Override {
    /// Reads `path=value`. The value is TOML; what is no TOML value is taken as a string, so `kind=lstm` needs no quotes.
    ///
    /// # Errors
    /// When there is no `=`, or a part of the path is empty.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let bad =
            |message: &str| ConfigError::new(text, message).help("write it as path=value, such as model.hidden=64");
        let (path, value) = text.split_once('=').ok_or_else(|| bad("there is no `=` in it"))?;
        let path: Vec<String> = path.split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(bad("its path has an empty part"));
        }
        let value = value.trim();
        let value = match DeValue::parse(value) {
            Ok(_) => value.to_owned(),
            Err(_) => toml_string(value),
        };
        Ok(Self { text: text.trim().to_owned(), path, value })
    }
}

fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_control() => format!("\\u{:04X}", c as u32),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// An override whose path has been made whole.
#[derive(Debug)]
pub(super) struct Applied {
    written: Override,
    /// The whole path.
    path: Vec<String>,
    /// How many of the tables on the path were there already; the others exist for this override's sake.
    tables_before: usize,
}

impl Applied {
    /// Makes the path whole as seen from `tree`, the document with all earlier overrides applied.
    pub(super) fn resolve(written: Override, tree: &DeTable<'_>) -> Self {
        let path = resolve(tree, &written.path);
        let tables_before = (1..path.len()).take_while(|len| lookup(tree, &path[..*len]).is_some()).count();
        Self { written, path, tables_before }
    }

    /// What an error names instead of the file: the override as it was written.
    pub(super) fn origin(&self) -> PathBuf {
        format!("--set {}", self.written.text).into()
    }

    /// Whether what stands at `path`, or the lack of it, is this override's doing.
    pub(super) fn made(&self, path: &[String]) -> bool {
        let common = path.len().min(self.path.len());
        common > self.tables_before && path[..common] == self.path[..common]
    }

    /// Puts the value into `tree`.
    ///
    /// # Errors
    /// With path and message, when the path leads through something that is no table.
    pub(super) fn apply<'a>(&'a self, tree: &mut DeTable<'a>) -> Result<(), ConfigError> {
        let fail = |message: String| ConfigError::new(self.path.join("."), message);
        let Some((last, parents)) = self.path.split_last() else { return Ok(()) };
        let mut table = tree;
        for part in parents {
            let entry = table
                .entry(Spanned::new(0..0, part.clone().into()))
                .or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
            match entry.get_mut() {
                DeValue::Table(inner) => table = inner,
                other => return Err(fail(format!("`{part}` is {}, not a table", kind(other)))),
            }
        }
        let value = DeValue::parse(&self.written.value).map_err(|error| fail(error.message().to_owned()))?;
        table.remove(last.as_str());
        table.insert(Spanned::new(0..0, last.clone().into()), without_spans(value.into_inner()));
        Ok(())
    }

    /// Rewrites serde's complaint that the file's top level knows no such name: what is wrong is the path.
    pub(super) fn leads_nowhere(&self, tree: &DeTable<'_>, error: &mut LocatedError) {
        let (Some(first), Some(last)) = (self.path.first(), self.path.last()) else { return };
        let value = self.written.text.split_once('=').map_or("", |(_, value)| value.trim());
        let ways: Vec<String> = paths_to(tree, last)
            .into_iter()
            .filter(|path| path.len() > 1 && *path != self.path)
            .map(|path| format!("--set {}={value}", shorten(tree, &path).join(".")))
            .collect();
        error.message = format!("the path `{}` leads to no setting", self.written.path.join("."));
        if !ways.is_empty() {
            error.help = Some(format!("the path must lead to a setting, like {}", ways.join(" or ")));
            return;
        }
        let components: Vec<&str> = components(tree).map(|(_, name, _)| name).filter(|name| name != first).collect();
        if let Some(near) = nearest(first, components.iter().copied()) {
            error.help = Some(format!("did you mean `{near}`?"));
        } else if error.help.is_none() {
            // What a component would take that the file does not give it is not known here, but how it would be written is.
            let help = "a setting that the file does not have needs its whole path, from the name of its component on";
            let path = self.written.path.join(".");
            let ways: Vec<String> =
                components.iter().map(|component| format!("--set {component}.{path}={value}")).collect();
            error.help = Some(format!("{help}: {}", ways.join(" or ")));
        }
    }
}

/// The components of a pipeline: section, name, settings.
fn components<'t>(tree: &'t DeTable<'_>) -> impl Iterator<Item = (&'t str, &'t str, &'t DeTable<'t>)> {
    tree.iter().flat_map(|(section, components)| {
        let components = match components.get_ref() {
            DeValue::Table(components) => Some(components),
            _ => None,
        };
        components.into_iter().flatten().filter_map(move |(name, settings)| match settings.get_ref() {
            DeValue::Table(settings) => Some((section.get_ref().as_ref(), name.get_ref().as_ref(), settings)),
            _ => None,
        })
    })
}

/// A path may leave out its beginning where that is clear: `model.hidden` where one component has a `model`.
fn resolve(tree: &DeTable<'_>, path: &[String]) -> Vec<String> {
    let as_is = || path.to_vec();
    let Some(first) = path.first() else { return as_is() };
    if tree.contains_key(first.as_str()) || path.len() < 2 {
        return as_is();
    }
    let mut by_name = Vec::new();
    let mut by_setting = Vec::new();
    for (section, name, settings) in components(tree) {
        let prefix = [section.to_owned(), name.to_owned()];
        if name == first {
            by_name.push(prefix);
        } else if settings.contains_key(first.as_str()) {
            by_setting.push(prefix);
        }
    }
    match (by_name.as_slice(), by_setting.as_slice()) {
        ([prefix], _) => prefix.iter().chain(&path[1..]).cloned().collect(),
        ([], [prefix]) => prefix.iter().chain(path).cloned().collect(),
        _ => as_is(),
    }
}

/// `path` without its section where it means the same without.
fn shorten<'p>(tree: &DeTable<'_>, path: &'p [String]) -> &'p [String] {
    match path.get(1..) {
        Some(short) if resolve(tree, short) == path => short,
        _ => path,
    }
}
