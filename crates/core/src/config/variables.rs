//! Environment variables inside string values: `${NAME}`, and `$${` for a literal `${`.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Visits every string of a table with the path of its setting and its place.
pub(super) fn visit_strings<'a>(
    table: &mut DeTable<'a>,
    path: &mut Vec<String>,
    visit: &mut impl FnMut(&[String], &mut Cow<'a, str>, Range<usize>),
) {
    for (key, value) in table.iter_mut() {
        path.push(key.get_ref().to_string());
        visit_value(value, path, visit);
        path.pop();
    }
}

fn visit_value<'a>(
    value: &mut Spanned<DeValue<'a>>,
    path: &mut Vec<String>,
    visit: &mut impl FnMut(&[String], &mut Cow<'a, str>, Range<usize>),
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => visit(path, text, span),
        DeValue::Table(table) => visit_strings(table, path, visit),
        DeValue::Array(array) => array.iter_mut().for_each(|item| visit_value(item, path, visit)),
        _ => {}
    }
}

/// The names of the variables in `text`.
pub(super) fn variables_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    substitute_with(text, |name| {
        names.push(name.to_owned());
        String::new()
    });
    names
}

/// `text` with the values of `variables` in place of their names.
pub(super) fn substitute(text: &str, variables: &[(String, String)]) -> String {
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
