//! What counts as a symbol, and which symbol is none of the text's.

use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use unicode_segmentation::UnicodeSegmentation as _;

/// What ends a value of bytes: the first number that is no byte.
pub(crate) const END_OF_BYTES: u16 = 256;
/// What ends a value of text, unless the settings say otherwise: several tokens, and so never a character or a token.
pub(crate) const END_OF_TEXT: &str = "(end)";

/// What counts as a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A byte: a whole number from 0 to 255.
    Byte,
    /// A Unicode character (scalar value).
    Char,
    /// What stands between two word boundaries (Unicode Standard Annex 29): a word, a number, a space, a sign.
    Token,
}

/// A symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol<'a> {
    /// A byte, or what ends a value of bytes.
    Number(u16),
    /// A character or a token, or what ends a text.
    Text(&'a str),
}

impl Unit {
    /// Its name in settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Char => "char",
            Self::Token => "token",
        }
    }

    /// The type of a symbol. What ends a value of bytes is none, and takes a wider number.
    pub(crate) fn data_type(self, has_end: bool) -> DataType {
        match self {
            Self::Byte if has_end => DataType::UInt16,
            Self::Byte => DataType::UInt8,
            Self::Char | Self::Token => DataType::Utf8,
        }
    }

    /// Calls `each` for every symbol of `text`, in order, until it fails. A byte is none of text.
    pub(crate) fn each_of_text<E>(self, text: &str, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Byte => Ok(()),
            Self::Char => text.split_inclusive(|_: char| true).try_for_each(each),
            Self::Token => text.split_word_bounds().try_for_each(each),
        }
    }

    /// Whether `text` is one symbol, which a value may hold.
    pub(crate) fn is_symbol(self, text: &str) -> bool {
        match self {
            Self::Byte => false,
            Self::Char => text.chars().count() == 1,
            Self::Token => text.split_word_bounds().count() == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbols(unit: Unit, text: &str) -> Vec<String> {
        let mut all = Vec::new();
        let done: Result<(), ()> = unit.each_of_text(text, |symbol| {
            all.push(symbol.to_owned());
            Ok(())
        });
        done.unwrap();
        all
    }

    #[test]
    fn words_numbers_spaces_and_signs_are_tokens() {
        assert_eq!(
            symbols(Unit::Token, "It's 3.5 km,\r\nœuvre"),
            ["It's", " ", "3.5", " ", "km", ",", "\r\n", "œuvre"]
        );
        assert_eq!(symbols(Unit::Char, "aü\u{301}\r\n"), ["a", "ü", "\u{301}", "\r", "\n"]);
    }

    #[test]
    fn what_ends_a_text_is_no_symbol_of_any() {
        assert!(!Unit::Char.is_symbol(END_OF_TEXT) && !Unit::Token.is_symbol(END_OF_TEXT));
        assert!(Unit::Char.is_symbol("ü") && !Unit::Char.is_symbol("üb"));
        assert!(Unit::Token.is_symbol("end") && !Unit::Token.is_symbol("the end"));
        assert!(u8::try_from(END_OF_BYTES).is_err());
    }

    proptest! {
        #[test]
        fn symbols_put_together_are_the_text(text in "(?s).{0,60}") {
            for unit in [Unit::Char, Unit::Token] {
                let symbols = symbols(unit, &text);
                prop_assert_eq!(symbols.concat(), text.clone());
                prop_assert!(symbols.iter().all(|symbol| unit.is_symbol(symbol)));
                prop_assert!(!symbols.iter().any(|symbol| symbol == END_OF_TEXT));
            }
        }
    }
}
