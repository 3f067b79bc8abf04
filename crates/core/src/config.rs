//! Settings with the place in the pipeline file they came from.
//!
//! A [`Document`] is a parsed pipeline file. A [`Table`] is one of its tables, still unread: a component's settings type is
//! deserialised from it later, by whoever knows that type, and an error still names file, line and column.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::ConfigError;

/// An error in a pipeline file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1, and column in characters, from 1; `None` where the setting came from the command line.
    pub place: Option<(usize, usize)>,
    /// Path of the setting in the file, such as `operator.forecast.model.hidden`; may be empty.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for LocatedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": `{}`", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LocatedError {}

/// A value to put in place of what a file says: `operator.forecast.model.hidden=64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
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
        Ok(Self { path, value })
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

/// A pipeline file: its text, and what the command line put in place of parts of it.
#[derive(Debug, Clone)]
pub struct Document {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    text: String,
    overrides: Vec<Override>,
    variables: Vec<(String, String)>,
}

impl Document {
    /// Takes the text of `file`, with `overrides` in place of what it says.
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
        let mut inner = Inner { file: file.into(), text: text.into(), overrides, variables: Vec::new() };
        let mut names = Vec::new();
        {
            let mut tree = inner.parse()?;
            inner.apply_overrides(tree.get_mut())?;
            visit_strings_table(tree.get_mut(), &mut |value, span| {
                for name in variables_in(value) {
                    names.push((name, span.clone()));
                }
            });
        }
        for (name, span) in names {
            match lookup(&name) {
                Some(value) => inner.variables.push((name, value)),
                None => {
                    let mut error = inner.error(Some(span), "", format!("the environment variable {name} is not set"));
                    error.help = Some(format!("set {name}, or write $${{{name}}} if the text is meant literally"));
                    return Err(error);
                }
            }
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The file's path.
    pub fn file(&self) -> &Path {
        &self.inner.file
    }

    /// The whole document as a table.
    pub fn root(&self) -> Table {
        Table { document: self.clone(), path: Vec::new(), without: Vec::new() }
    }
}

impl Inner {
    fn parse(&self) -> Result<Spanned<DeTable<'_>>, LocatedError> {
        DeTable::parse(&self.text).map_err(|error| self.error(error.span(), "", error.message().to_owned()))
    }

    fn apply_overrides<'a>(&'a self, tree: &mut DeTable<'a>) -> Result<(), LocatedError> {
        for Override { path, value } in &self.overrides {
            let path = resolve(tree, path);
            let mut table = &mut *tree;
            let Some((last, parents)) = path.split_last() else { continue };
            for part in parents {
                let entry = table
                    .entry(Spanned::new(0..0, part.clone().into()))
                    .or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
                match entry.get_mut() {
                    DeValue::Table(inner) => table = inner,
                    other => {
                        let kind = other.type_str();
                        let path = path.join(".");
                        return Err(self.error(None, &path, format!("`{part}` is a {kind}, not a table")));
                    }
                }
            }
            let parsed =
                DeValue::parse(value).map_err(|error| self.error(None, &path.join("."), error.message().to_owned()))?;
            let parsed = Spanned::new(0..0, parsed.into_inner());
            let key = Spanned::new(0..0, last.clone().into());
            table.remove(last.as_str());
            table.insert(key, parsed);
        }
        Ok(())
    }

    /// Runs `read` on the tree as it stands after overrides and variables.
    fn with_tree<R>(&self, read: impl FnOnce(&mut DeTable<'_>) -> R) -> Result<R, LocatedError> {
        let mut tree = self.parse()?;
        self.apply_overrides(tree.get_mut())?;
        visit_strings_table(tree.get_mut(), &mut |value, _| {
            if value.contains("${") {
                *value = substitute(value, &self.variables).into();
            }
        });
        Ok(read(tree.get_mut()))
    }

    fn error(&self, span: Option<Range<usize>>, key: &str, message: String) -> LocatedError {
        let place = span.filter(|span| *span != (0..0)).map(|span| {
            let before = &self.text[..floor_char_boundary(&self.text, span.start)];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
        });
        LocatedError { file: self.file.clone(), place, key: key.to_owned(), message, help: None }
    }
}

fn floor_char_boundary(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// A path may leave out its beginning where that is clear: `model.hidden` where one component has a `model`.
fn resolve(tree: &DeTable<'_>, path: &[String]) -> Vec<String> {
    let as_is = || path.to_vec();
    let Some(first) = path.first() else { return as_is() };
    if tree.contains_key(first.as_str()) || path.len() < 2 {
        return as_is();
    }
    let table = |value: &Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_));
    let mut by_name = Vec::new();
    let mut by_setting = Vec::new();
    for (section, components) in tree.iter().filter(|(_, value)| table(value)) {
        let DeValue::Table(components) = components.get_ref() else { continue };
        for (name, settings) in components {
            let DeValue::Table(settings) = settings.get_ref() else { continue };
            let prefix = vec![section.get_ref().to_string(), name.get_ref().to_string()];
            if name.get_ref() == first.as_str() {
                by_name.push(prefix);
            } else if settings.contains_key(first.as_str()) {
                by_setting.push(prefix);
            }
        }
    }
    match (by_name.as_slice(), by_setting.as_slice()) {
        ([prefix], _) => prefix.iter().chain(&path[1..]).cloned().collect(),
        ([], [prefix]) => prefix.iter().chain(path).cloned().collect(),
        _ => as_is(),
    }
}

fn visit_strings_table<'a>(
    table: &mut DeTable<'a>,
    visit: &mut impl FnMut(&mut std::borrow::Cow<'a, str>, Range<usize>),
) {
    for (_, value) in table.iter_mut() {
        visit_strings(value, visit);
    }
}

fn visit_strings<'a>(
    value: &mut Spanned<DeValue<'a>>,
    visit: &mut impl FnMut(&mut std::borrow::Cow<'a, str>, Range<usize>),
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => visit(text, span),
        DeValue::Table(table) => visit_strings_table(table, visit),
        DeValue::Array(array) => array.iter_mut().for_each(|item| visit_strings(item, visit)),
        _ => {}
    }
}

fn variables_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    substitute_with(text, |name| {
        names.push(name.to_owned());
        String::new()
    });
    names
}

fn substitute(text: &str, variables: &[(String, String)]) -> String {
    substitute_with(text, |name| {
        variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    })
}

fn substitute_with(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        match from.find('}') {
            Some(end) => {
                out.push_str(&value(&from[2..end]));
                rest = &from[end + 1..];
            }
            None => {
                out.push_str(from);
                rest = "";
            }
        }
    }
    out.push_str(rest);
    out
}

/// One table of a document, not yet read.
#[derive(Debug, Clone)]
pub struct Table {
    document: Document,
    path: Vec<String>,
    /// Keys that somebody else has read already.
    without: Vec<&'static str>,
}

impl Table {
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
        let path: Vec<String> = self.path.iter().cloned().chain([key.to_owned()]).collect();
        let names = self.document.inner.with_tree(|tree| -> Result<Vec<String>, LocatedError> {
            let Some(value) = lookup(tree, &path) else { return Ok(Vec::new()) };
            let not_a_table = |value: &Spanned<DeValue<'_>>, path: &[String]| {
                let kind = value.get_ref().type_str();
                self.document.inner.error(
                    Some(value.span()),
                    &path.join("."),
                    format!("expected a table, found a {kind}"),
                )
            };
            let DeValue::Table(table) = value.get_ref() else { return Err(not_a_table(value, &path)) };
            for (name, value) in table {
                if !matches!(value.get_ref(), DeValue::Table(_)) {
                    let path: Vec<String> = path.iter().cloned().chain([name.get_ref().to_string()]).collect();
                    return Err(not_a_table(value, &path));
                }
            }
            Ok(table.keys().map(|name| name.get_ref().to_string()).collect())
        })??;
        Ok(names
            .into_iter()
            .map(|name| Table {
                document: self.document.clone(),
                path: path.iter().cloned().chain([name]).collect(),
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
        let path: Vec<String> = self.path.iter().cloned().chain([key.to_owned()]).collect();
        let inner = &self.document.inner;
        inner.with_tree(|tree| match lookup(tree, &path) {
            None => Ok(None),
            Some(value) => T::deserialize(value.clone().into_deserializer())
                .map(Some)
                .map_err(|error| inner.error(error.span(), &path.join("."), error.message().to_owned())),
        })?
    }

    /// Reads the whole table, less what was taken.
    ///
    /// # Errors
    /// With the place of the entry that is wrong; an unknown entry is refused with the nearest name that is known.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, LocatedError> {
        let inner = &self.document.inner;
        inner.with_tree(|tree| {
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
            T::deserialize(Spanned::new(span, table).into_deserializer()).map_err(|error| {
                let mut located = inner.error(error.span(), &self.path(), error.message().trim().to_owned());
                located.help = nearest_known(&located.message);
                located
            })
        })?
    }

    /// Gives an error found in this table's settings its place in the file.
    pub fn locate(&self, error: ConfigError) -> LocatedError {
        let inner = &self.document.inner;
        let mut path = self.path.clone();
        path.extend(error.key.split('.').filter(|part| !part.is_empty()).map(str::to_owned));
        let span = inner.with_tree(|tree| {
            (0..=path.len()).rev().find_map(|len| span_of(tree, &path[..len])).filter(|span| *span != (0..0))
        });
        let mut located = inner.error(span.ok().flatten(), &path.join("."), error.message);
        located.help = error.help;
        located
    }
}

fn lookup<'t, 'a>(tree: &'t DeTable<'a>, path: &[String]) -> Option<&'t Spanned<DeValue<'a>>> {
    let (first, rest) = path.split_first()?;
    let value = tree.get(first.as_str())?;
    match (rest, value.get_ref()) {
        ([], _) => Some(value),
        (rest, DeValue::Table(table)) => lookup(table, rest),
        _ => None,
    }
}

fn span_of(tree: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (last, parents) = path.split_last()?;
    let table = if parents.is_empty() {
        tree
    } else {
        match lookup(tree, parents)?.get_ref() {
            DeValue::Table(table) => table,
            _ => return None,
        }
    };
    table.get_key_value(last.as_str()).map(|(key, _)| key.span())
}

/// Serde reports an unknown name as ``unknown field `x`, expected one of `a`, `b` ``; this finds the nearest of them.
fn nearest_known(message: &str) -> Option<String> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted).map(|name| format!("did you mean `{name}`?"))
}

/// The name most like `wrong`, if any is like it at all.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this Jaro-Winkler similarity two names have nothing to do with each other.
    const ALIKE_MIN: f64 = 0.7;
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(similarity, _)| *similarity >= ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        path: String,
        #[serde(default)]
        model: Model,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(deny_unknown_fields)]
    struct Model {
        hidden: usize,
    }

    const TEXT: &str = r#"name = "power"

[operator.forecast]
type = "forecast"
path = "a/${DIR}/$${x}"
[operator.forecast.model]
hidden = 32
"#;

    fn document(text: &str, overrides: &[&str]) -> Result<Document, LocatedError> {
        let overrides = overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
        Document::parse_with_env("p.toml", text, overrides, |name| (name == "DIR").then(|| "dir".to_owned()))
    }

    fn forecast(document: &Document) -> Table {
        let mut table = document.root().subtables("operator").unwrap().remove(0);
        assert_eq!(table.take::<String>("type").unwrap().as_deref(), Some("forecast"));
        table
    }

    #[test]
    fn variables_are_replaced_and_escapes_are_kept() {
        let settings: Settings = forecast(&document(TEXT, &[]).unwrap()).read().unwrap();
        assert_eq!(settings, Settings { path: "a/dir/${x}".into(), model: Model { hidden: 32 } });
    }

    #[test]
    fn a_variable_that_is_not_set_is_named_with_its_place() {
        let error = document(&TEXT.replace("DIR", "NOPE"), &[]).unwrap_err();
        assert_eq!(error.place, Some((5, 8)));
        assert!(error.message.contains("NOPE"), "{error}");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_known_one() {
        let document = document(&TEXT.replace("hidden", "hiden"), &[]).unwrap();
        let error = forecast(&document).read::<Settings>().unwrap_err();
        assert_eq!(error.place, Some((7, 1)));
        assert_eq!(error.help.as_deref(), Some("did you mean `hidden`?"));
    }

    #[test]
    fn an_error_of_a_component_gets_the_place_of_its_setting() {
        let table = forecast(&document(TEXT, &[]).unwrap());
        let error = table.locate(ConfigError::new("model.hidden", "must not be 0"));
        assert_eq!(error.to_string(), "p.toml:7:1: `operator.forecast.model.hidden`: must not be 0");
        let absent = table.locate(ConfigError::new("model.rate", "is missing"));
        assert_eq!(absent.place, Some((6, 20)));
    }

    #[test]
    fn overrides_replace_values_by_full_and_by_short_path() {
        for path in ["operator.forecast.model.hidden=64", "forecast.model.hidden=64", "model.hidden = 64"] {
            let document = document(TEXT, &[path, "forecast.path=some where"]).unwrap();
            let settings: Settings = forecast(&document).read().unwrap();
            assert_eq!(settings, Settings { path: "some where".into(), model: Model { hidden: 64 } }, "{path}");
        }
    }

    #[test]
    fn an_override_that_does_not_fit_is_an_error_without_a_line() {
        let document = document(TEXT, &["model.hidden=many"]).unwrap();
        let error = forecast(&document).read::<Settings>().unwrap_err();
        assert_eq!(error.place, None);
        assert!(error.message.contains("many"), "{error}");
    }

    #[test]
    fn text_that_is_not_toml_is_refused_with_its_place() {
        let error = document("name = \n", &[]).unwrap_err();
        assert_eq!(error.place.map(|(line, _)| line), Some(1));
    }
}
