//! The settings of the operator: the table `[operator.NAME]` with `type = "symbols"`.

use arrow::datatypes::Schema;
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::config::nearest;
use sluicegate_core::{ConfigError, Roles};

use crate::alphabet::{END_OF_BYTES, END_OF_TEXT, Symbol, Unit};
use crate::table::OWN_COLUMNS;
use crate::values;

/// Takes a column of text or bytes apart: one row for each of its symbols, in order.
///
/// The output has the columns that are kept and then `offset` (the offset of the row that a symbol is of), `position` (its number in
/// that row, from 0) and `symbol`. Rows are numbered anew, from 0 in each partition, without gaps. A missing value has no symbols.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SymbolsConfig {
    /// The column to take apart: text or bytes.
    pub column: String,

    /// What counts as a symbol. The column `symbol` holds whole numbers for bytes, else text.
    pub unit: Unit,

    /// Whether a row of its own follows the last symbol of each value, also of an empty one, and which: `true` is the number 256
    /// where symbols are bytes, else the text `(end)`; a text is that text, which must not be a symbol itself.
    #[serde(default)]
    pub end: End,

    /// Columns to repeat in every row, beside those with the key and the event time, which always are.
    #[serde(default)]
    pub keep: Vec<String>,

    /// What becomes of a value that is no UTF-8, where symbols are text.
    #[serde(default)]
    pub bad_utf8: BadUtf8,
}

/// What follows the last symbol of a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true, false or a text")]
pub enum End {
    /// Nothing, or the symbol that is made for it.
    Usual(bool),
    /// This text.
    Text(String),
}

impl Default for End {
    fn default() -> Self {
        Self::Usual(false)
    }
}

/// What becomes of a value that is no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BadUtf8 {
    /// It goes to the sink with `input = "dead-letters"`, with its bytes; where there is none, the run stops at it.
    #[default]
    DeadLetter,
    /// What is no UTF-8 in it becomes U+FFFD, once for each maximal part of a character.
    Replace,
    /// The run stops at it.
    Fail,
}

/// Settings that were checked against the columns that come in.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) column: String,
    pub(crate) unit: Unit,
    /// What follows the last symbol of a value; `None` for nothing.
    pub(crate) end: Option<EndSymbol>,
    /// In the order of the input.
    pub(crate) keep: Vec<String>,
    pub(crate) roles: Roles,
    pub(crate) bad_utf8: BadUtf8,
}

/// The symbol after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndSymbol {
    Number(u16),
    Text(String),
}

impl EndSymbol {
    pub(crate) fn symbol(&self) -> Symbol<'_> {
        match self {
            Self::Number(number) => Symbol::Number(*number),
            Self::Text(text) => Symbol::Text(text),
        }
    }

    /// In words, for whoever compares settings.
    pub(crate) fn shown(end: Option<&Self>) -> String {
        match end {
            None => "false".to_owned(),
            Some(Self::Number(number)) => number.to_string(),
            Some(Self::Text(text)) => format!("{text:?}"),
        }
    }
}

impl SymbolsConfig {
    /// Checks the settings against the columns that come in.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    pub(crate) fn plan(self, input: &Schema) -> Result<Plan, ConfigError> {
        let end = self.end_symbol()?;
        let names = || input.fields().iter().map(|field| field.name().as_str());
        let missing = |setting: &str, name: &str| {
            let error = ConfigError::new(setting, format!("there is no column `{name}`"));
            match nearest(name, names()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
            }
        };
        let field = input.field_with_name(&self.column).map_err(|_| missing("column", &self.column))?;
        if !values::can_be(field.data_type()) {
            let message = format!("column `{}` holds {}, not text or bytes", self.column, field.data_type());
            return Err(ConfigError::new("column", message));
        }
        if let Some(name) = self.keep.iter().find(|name| input.field_with_name(name).is_err()) {
            return Err(missing("keep", name));
        }
        let roles = Roles::of(input);
        let is_kept = |name: &&str| {
            [&roles.key, &roles.time].into_iter().flatten().any(|role| role == name)
                || self.keep.iter().any(|kept| kept == name)
        };
        let keep: Vec<String> = names().filter(is_kept).map(str::to_owned).collect();
        if let Some(name) = keep.iter().find(|name| OWN_COLUMNS.contains(&name.as_str())) {
            let message =
                format!("the column `{name}` of the input would stand beside one of the same name that is made here");
            let help = "leave it out of `keep`, or give the key or time another name where it is read";
            return Err(ConfigError::new("keep", message).help(help));
        }
        Ok(Plan { column: self.column, unit: self.unit, end, keep, roles, bad_utf8: self.bad_utf8 })
    }

    fn end_symbol(&self) -> Result<Option<EndSymbol>, ConfigError> {
        match (&self.end, self.unit) {
            (End::Usual(false), _) => Ok(None),
            (End::Usual(true), Unit::Byte) => Ok(Some(EndSymbol::Number(END_OF_BYTES))),
            (End::Usual(true), _) => Ok(Some(EndSymbol::Text(END_OF_TEXT.to_owned()))),
            (End::Text(_), Unit::Byte) => {
                Err(ConfigError::new("end", "symbols are numbers here, so it cannot be a text")
                    .help(format!("write end = true; the end is then the symbol {END_OF_BYTES}")))
            }
            (End::Text(text), unit) if text.is_empty() || unit.is_symbol(text) => {
                let message = format!("{text:?} is no end: a value may hold it, or it is nothing");
                let help = format!(
                    "write end = true, which means {END_OF_TEXT:?}, or a text of more than one {}",
                    unit.as_str()
                );
                Err(ConfigError::new("end", message).help(help))
            }
            (End::Text(text), _) => Ok(Some(EndSymbol::Text(text.clone()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field};

    fn plan(json: &str) -> Result<Plan, String> {
        let schema = Schema::new(vec![
            Field::new("key", DataType::Utf8, true),
            Field::new("value", DataType::Binary, true),
            Field::new("offset", DataType::Int64, true),
            Field::new("topic", DataType::Utf8, true),
        ]);
        let schema = Roles { key: Some("key".into()), time: None }.mark(&schema);
        let config: SymbolsConfig = serde_json::from_str(json).map_err(|error| error.to_string())?;
        config.plan(&schema).map_err(|error| error.to_string())
    }

    #[test]
    fn the_key_is_kept_by_itself_and_further_columns_where_asked_for() {
        let of = |json| plan(json).unwrap().keep;
        assert_eq!(of(r#"{"column": "value", "unit": "byte"}"#), ["key"]);
        assert_eq!(of(r#"{"column": "value", "unit": "byte", "keep": ["topic"]}"#), ["key", "topic"]);
        assert_eq!(of(r#"{"column": "value", "unit": "byte", "keep": ["topic", "key"]}"#), ["key", "topic"]);
    }

    #[test]
    fn an_end_is_no_symbol_that_a_value_may_hold() {
        let end = |unit: &str, end: &str| plan(&format!(r#"{{"column": "value", "unit": "{unit}", "end": {end}}}"#));
        assert_eq!(end("byte", "false").unwrap().end, None);
        assert_eq!(end("byte", "true").unwrap().end, Some(EndSymbol::Number(256)));
        assert_eq!(end("token", "true").unwrap().end, Some(EndSymbol::Text("(end)".into())));
        assert_eq!(end("char", "\"\\n\\n\"").unwrap().end, Some(EndSymbol::Text("\n\n".into())));
        for (unit, text) in [("char", "\".\""), ("token", "\"stop\""), ("token", "\"\""), ("byte", "\"(end)\"")] {
            assert!(end(unit, text).unwrap_err().starts_with("`end`"), "{unit} {text}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        assert_eq!(
            plan(r#"{"column": "valu", "unit": "byte"}"#).unwrap_err(),
            "`column`: there is no column `valu`; did you mean `value`?"
        );
        let fault = plan(r#"{"column": "offset", "unit": "byte"}"#).unwrap_err();
        assert_eq!(fault, "`column`: column `offset` holds Int64, not text or bytes");
        assert!(plan(r#"{"column": "value", "unit": "byte", "keep": ["tipoc"]}"#).unwrap_err().starts_with("`keep`"));
        let fault = plan(r#"{"column": "value", "unit": "byte", "keep": ["offset"]}"#).unwrap_err();
        assert!(fault.starts_with("`keep`: the column `offset` of the input would stand beside"), "{fault}");
        assert!(plan(r#"{"column": "value", "unit": "bytes"}"#).is_err());
        assert!(plan(r#"{"column": "value", "unit": "byte", "ends": true}"#).unwrap_err().contains("unknown field"));
    }
}
