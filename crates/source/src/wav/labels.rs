//! What files are called in rows, and the key that their names hold.

use regex::Regex;
use sluicegate_core::ConfigError;

use crate::SourceError;
use crate::files::InputFile;

/// A pattern that finds a key in the name of a file. It has one named group, which names the column.
#[derive(Debug, Clone)]
pub(super) struct KeyPattern {
    regex: Regex,
    /// The group's name.
    pub(super) column: String,
}

impl KeyPattern {
    /// Of the setting `key_pattern`, beside columns of these names.
    ///
    /// # Errors
    /// When it is no pattern, or does not name one group.
    pub(super) fn new(pattern: &str, columns: &[&str]) -> Result<Self, ConfigError> {
        let fail = |message: String| {
            Err(ConfigError::new("key_pattern", message)
                .help("write one named group around the key: key_pattern = '_(?<speaker>[a-z]+)_'"))
        };
        let regex = match Regex::new(pattern) {
            Ok(regex) => regex,
            Err(error) => return fail(error.to_string()),
        };
        let named: Vec<String> = regex.capture_names().flatten().map(str::to_owned).collect();
        match <[String; 1]>::try_from(named) {
            Ok([column]) if columns.contains(&column.as_str()) => {
                fail(format!("its group is called `{column}`, and so is another column"))
            }
            Ok([column]) => Ok(Self { regex, column }),
            Err(named) => fail(format!("it has {} named groups", named.len())),
        }
    }

    /// The key of a file.
    ///
    /// # Errors
    /// When its name holds none.
    pub(super) fn key_of(&self, file: &InputFile) -> Result<String, SourceError> {
        let name = file.path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| SourceError::Name { path: file.path.clone() })?;
        let found = self.regex.captures(name).and_then(|groups| groups.name(&self.column));
        found
            .map(|key| key.as_str().to_owned())
            .ok_or_else(|| SourceError::NoKey { path: file.path.clone(), pattern: self.regex.as_str().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_the_named_group_matches_in_the_name_without_folders() {
        let pattern = KeyPattern::new(r"^\d_(?<speaker>[a-z]+)_", &["value"]).unwrap();
        let file = |path: &str| InputFile::local(path.into());
        assert_eq!(pattern.key_of(&file("1_x_2/0_jackson_1.wav")).unwrap(), "jackson");
        let error = pattern.key_of(&file("1_x_2/jackson.wav")).unwrap_err().to_string();
        assert!(error.contains("1_x_2/jackson.wav") && error.contains(r"^\d_(?<speaker>[a-z]+)_"), "{error}");
    }

    #[test]
    fn a_pattern_without_one_named_group_is_refused() {
        for (pattern, problem) in [
            ("_([a-z]+)_", "0 named groups"),
            ("(?<a>.)(?<b>.)", "2 named groups"),
            ("(?<value>.)", "another column"),
            ("(?<a>", "unclosed"),
        ] {
            let error = KeyPattern::new(pattern, &["value"]).unwrap_err();
            assert!(error.key == "key_pattern" && error.to_string().contains(problem), "{error}");
        }
    }
}
