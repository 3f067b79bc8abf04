//! Settings as a list, out of their JSON schema.

use serde_json::{Map, Value};

/// Tables within tables are listed down to this depth; a deeper one is one line.
const DEPTH_MAX: usize = 4;

/// One setting of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its path from the component's table, such as `model.hidden`.
    pub(crate) path: String,
    pub(crate) type_name: String,
    /// `required` where it must be given; empty where leaving it out means none.
    pub(crate) default: String,
    /// The first sentence of its documentation.
    pub(crate) doc: String,
}

/// The first sentence of what a schema says about itself.
pub(crate) fn summary(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(first_sentence)
}

/// Every setting of a component, required ones first, those of an inner table in its place.
pub(crate) fn settings(schema: &Value) -> Vec<Setting> {
    let mut all = Vec::new();
    Reader { root: schema }.table(schema, "", 0, schema.get("default"), &mut all);
    all
}

struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    fn table(&self, table: &'a Value, prefix: &str, depth: usize, defaults: Option<&Value>, all: &mut Vec<Setting>) {
        let Some(properties) = table.get("properties").and_then(Value::as_object) else { return };
        let required: Vec<&str> =
            table.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let is_required = |name: &str| required.contains(&name);
        let mut names: Vec<&String> = properties.keys().collect();
        names.sort_by_key(|name| !is_required(name));
        for name in names {
            let property = &properties[name];
            let path = format!("{prefix}{name}");
            let default = property.get("default").or_else(|| defaults.and_then(|defaults| defaults.get(name)));
            let inner = self.resolve(property);
            let doc = summary(property).or_else(|| summary(inner)).unwrap_or_default();
            if depth < DEPTH_MAX && inner.get("properties").is_some_and(|inner| inner.is_object()) {
                let default = if is_required(name) { "required" } else { "" };
                let setting = Setting { path: path.clone(), type_name: "table".into(), default: default.into(), doc };
                all.push(setting);
                self.table(inner, &format!("{path}."), depth + 1, property.get("default").or(default_of(inner)), all);
                continue;
            }
            let default = match default {
                _ if is_required(name) => "required".to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(value) => toml(value),
            };
            all.push(Setting { path, type_name: self.type_name(property), default, doc });
        }
    }

    /// The schema behind references, and behind "this or nothing".
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        // A chain of references is short; the bound only guards against one that leads back to itself.
        for _ in 0..8 {
            let next = self.referred(schema).or_else(|| match alternatives(schema).as_slice() {
                [only] => Some(*only),
                _ => None,
            });
            match next {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    fn referred(&self, schema: &Value) -> Option<&'a Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn type_name(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        if let Some(words) = words(schema) {
            return words;
        }
        let choices = alternatives(schema);
        if !choices.is_empty() {
            let mut names: Vec<String> = Vec::new();
            for name in choices.iter().map(|choice| self.type_name(choice)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            return names.join(" or ");
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
            }
            _ => Vec::new(),
        };
        let name = |name: &&str| match *name {
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", self.type_name(items)),
                None => "list".to_owned(),
            },
            "object" => "table".to_owned(),
            other => other.to_owned(),
        };
        if types.is_empty() { "any".to_owned() } else { types.iter().map(name).collect::<Vec<_>>().join(" or ") }
    }
}

fn default_of(schema: &Value) -> Option<&Value> {
    schema.get("default")
}

/// What a value may be, less nothing at all.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let list = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema.get(key)).and_then(Value::as_array);
    list.into_iter().flatten().filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null")).collect()
}

/// The words of a setting that must be one of several.
fn words(schema: &Value) -> Option<String> {
    let quoted = |word: &Value| word.as_str().map(|word| format!("\"{word}\""));
    if let Some(word) = schema.get("const") {
        return quoted(word);
    }
    let words: Option<Vec<String>> = schema.get("enum")?.as_array()?.iter().map(quoted).collect();
    words.map(|words| words.join(" or "))
}

/// A value as it would stand in a pipeline file.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(map) => toml_table(map),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn toml_table(map: &Map<String, Value>) -> String {
    let entries = map.iter().filter(|(_, value)| !value.is_null());
    let entries: Vec<String> = entries.map(|(name, value)| format!("{name} = {}", toml(value))).collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

/// Documentation wraps its lines; a list wants the first sentence on one.
fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_owned(),
        None => paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::{JsonSchema, SchemaGenerator};
    use serde::{Deserialize, Serialize};

    /// Reads things. Many of them.
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema matters")]
    struct Settings {
        /// Rows per batch.
        #[serde(default = "rows")]
        rows: usize,
        /// The file
        /// to read. Or a folder.
        path: String,
        /// The column with the key, if any.
        key: Option<String>,
        #[serde(default)]
        model: Model,
        columns: Option<Vec<String>>,
        paths: OneOrMany,
    }

    /// The network.
    #[derive(Deserialize, Serialize, JsonSchema)]
    #[serde(default)]
    struct Model {
        /// What it is made of.
        kind: Kind,
        /// How wide it is.
        hidden: u32,
    }

    impl Default for Model {
        fn default() -> Self {
            Self { kind: Kind::Lstm, hidden: 32 }
        }
    }

    #[derive(Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        /// Long memory.
        Lstm,
        Gru,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its schema matters")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    fn rows() -> usize {
        1024
    }

    #[test]
    fn settings_are_listed_with_type_default_and_meaning() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Settings>();
        assert_eq!(summary(schema.as_value()).as_deref(), Some("Reads things."));
        let lines: Vec<String> = settings(schema.as_value())
            .into_iter()
            .map(|s| format!("{} | {} | {} | {}", s.path, s.type_name, s.default, s.doc))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        path | string | required | The file to read.
        paths | string or list of string | required | 
        columns | list of string |  | 
        key | string |  | The column with the key, if any.
        model | table |  | The network.
        model.hidden | integer | 32 | How wide it is.
        model.kind | "gru" or "lstm" | "lstm" | What it is made of.
        rows | integer | 1024 | Rows per batch.
        "#);
    }
}
