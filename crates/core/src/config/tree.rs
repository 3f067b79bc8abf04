//! Finding one's way in a parsed file.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The value at `path`.
pub(super) fn lookup<'t, 'a>(tree: &'t DeTable<'a>, path: &[String]) -> Option<&'t Spanned<DeValue<'a>>> {
    let (first, rest) = path.split_first()?;
    let value = tree.get(first.as_str())?;
    match (rest, value.get_ref()) {
        ([], _) => Some(value),
        (rest, DeValue::Table(table)) => lookup(table, rest),
        _ => None,
    }
}

/// Where the file has the key at `path`; `None` for what is not there or came from an override.
pub(super) fn span_of(tree: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (last, parents) = path.split_last()?;
    let table = if parents.is_empty() {
        tree
    } else {
        match lookup(tree, parents)?.get_ref() {
            DeValue::Table(table) => table,
            _ => return None,
        }
    };
    table.get_key_value(last.as_str()).map(|(key, _)| key.span()).filter(|span| *span != (0..0))
}

/// The same value with no place in the file, at any depth.
pub(super) fn without_spans(value: DeValue<'_>) -> Spanned<DeValue<'_>> {
    let bare = match value {
        DeValue::Array(items) => {
            DeValue::Array(items.into_iter().map(|item| without_spans(item.into_inner())).collect())
        }
        DeValue::Table(table) => {
            let bare = |(key, value): (Spanned<_>, Spanned<_>)| {
                (Spanned::new(0..0, key.into_inner()), without_spans(value.into_inner()))
            };
            DeValue::Table(table.into_iter().map(bare).collect())
        }
        other => other,
    };
    Spanned::new(0..0, bare)
}

/// The paths of all settings called `name`, in the order of the paths.
pub(super) fn paths_to(tree: &DeTable<'_>, name: &str) -> Vec<Vec<String>> {
    fn search(table: &DeTable<'_>, name: &str, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            if key.get_ref() == name {
                found.push(path.clone());
            }
            if let DeValue::Table(inner) = value.get_ref() {
                search(inner, name, path, found);
            }
            path.pop();
        }
    }
    let mut found = Vec::new();
    search(tree, name, &mut Vec::new(), &mut found);
    found
}
