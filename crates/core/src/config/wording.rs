//! Serde's words about Rust types in the words of a pipeline file.

use toml::de::DeValue;

/// What kind of value it is.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Rewrites ``invalid type: string "abc", expected usize``; every other text stays as it is.
pub(super) fn in_plain_words(message: &str) -> String {
    let complaint =
        ["invalid type: ", "invalid value: "].iter().find_map(|start| Some((*start, message.strip_prefix(start)?)));
    match complaint.and_then(|(start, rest)| Some((start, rest.rsplit_once(", expected ")?))) {
        Some((start, (found, expected))) => {
            let out_of_range = start == "invalid value: " && found.starts_with("integer `") && found != "integer `0`";
            let negative = found.contains("`-");
            format!(
                "expected {}, found {}",
                in_place_of_type(expected, out_of_range, negative),
                in_place_of_found(found)
            )
        }
        None if message == "wanted string or table" => "expected a string or a table".to_owned(),
        None => message.to_owned(),
    }
}

fn in_place_of_found(found: &str) -> String {
    let number = found.strip_prefix("integer `").or_else(|| found.strip_prefix("floating point `"));
    let literal = number.or_else(|| found.strip_prefix("boolean `")).and_then(|rest| rest.strip_suffix('`'));
    match (found, literal) {
        ("sequence", _) => "a list".to_owned(),
        ("map", _) => "a table".to_owned(),
        (_, Some(literal)) if number.is_some() => format!("the number {literal}"),
        (_, Some(literal)) => literal.to_owned(),
        _ if found.starts_with("string ") => format!("the {found}"),
        _ => found.to_owned(),
    }
}

/// The limits of a type are worth a word only for a number beyond them; that an unsigned one begins at 0 always is.
fn in_place_of_type(expected: &str, out_of_range: bool, negative: bool) -> String {
    let (name, from) = match expected.strip_prefix("a nonzero ") {
        Some(name) => (name, 1),
        None => (expected, 0),
    };
    let unsigned = |max: u64| match out_of_range && !negative {
        true => format!("a whole number from {from} to {max}"),
        false => format!("a whole number of {from} or more"),
    };
    let signed = |min: i64, max: i64| match out_of_range {
        true => format!("a whole number from {min} to {max}"),
        false => "a whole number".to_owned(),
    };
    match name {
        "u8" => unsigned(u8::MAX.into()),
        "u16" => unsigned(u16::MAX.into()),
        "u32" => unsigned(u32::MAX.into()),
        "u64" | "usize" => unsigned(u64::MAX),
        "i8" => signed(i8::MIN.into(), i8::MAX.into()),
        "i16" => signed(i16::MIN.into(), i16::MAX.into()),
        "i32" => signed(i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => signed(i64::MIN, i64::MAX),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "path string" => "a path".to_owned(),
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged enum ") => "a table".to_owned(),
        _ => expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::in_plain_words;

    #[test]
    fn types_are_called_by_what_one_would_write() {
        for (serde, plain) in [
            (
                r#"invalid type: string "abc", expected usize"#,
                r#"expected a whole number of 0 or more, found the string "abc""#,
            ),
            (
                "invalid type: floating point `1.5`, expected u64",
                "expected a whole number of 0 or more, found the number 1.5",
            ),
            ("invalid type: boolean `true`, expected i64", "expected a whole number, found true"),
            ("invalid type: sequence, expected f64", "expected a number, found a list"),
            ("invalid type: map, expected a sequence", "expected a list, found a table"),
            ("invalid type: integer `5`, expected a boolean", "expected true or false, found the number 5"),
            ("invalid type: integer `5`, expected a string", "expected a string, found the number 5"),
            ("invalid type: integer `5`, expected a map", "expected a table, found the number 5"),
            ("invalid type: integer `5`, expected struct ModelConfig", "expected a table, found the number 5"),
            ("invalid type: integer `5`, expected path string", "expected a path, found the number 5"),
            (
                "invalid value: integer `-1`, expected usize",
                "expected a whole number of 0 or more, found the number -1",
            ),
            (
                "invalid value: integer `300`, expected u8",
                "expected a whole number from 0 to 255, found the number 300",
            ),
            (
                "invalid value: integer `-300`, expected i8",
                "expected a whole number from -128 to 127, found the number -300",
            ),
            (
                "invalid value: integer `0`, expected a nonzero u64",
                "expected a whole number of 1 or more, found the number 0",
            ),
            (
                r#"invalid type: string "a, expected b", expected f32"#,
                r#"expected a number, found the string "a, expected b""#,
            ),
            ("wanted string or table", "expected a string or a table"),
        ] {
            assert_eq!(in_plain_words(serde), plain);
        }
    }

    #[test]
    fn other_texts_stay() {
        for text in [
            "unknown field `hiden`, expected `hidden`",
            "missing field `path`",
            "expected a path or a list of paths",
            "must not be 0",
            "",
        ] {
            assert_eq!(in_plain_words(text), text);
        }
        assert_eq!(
            in_plain_words("invalid type: unit value, expected a time such as 10:00"),
            "expected a time such as 10:00, found unit value"
        );
    }
}
