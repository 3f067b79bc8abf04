//! Values that must not be shown: those that came from the environment.

use std::borrow::Cow;
use std::sync::Arc;

/// Shorter values are shown: they are no secrets, and text would become unreadable without them.
const SECRET_BYTES_MIN: usize = 4;

/// Settings whose values are names that appear everywhere anyway, in partitions, logs and metrics.
const PLAIN_SETTINGS: [&str; 4] = ["name", "topic", "topics", "group"];

/// The values of the environment variables that a pipeline file uses, to be kept out of logs and errors.
///
/// Which of them are passwords nobody says, so all count as secret, but for those that stand in `name`, `topic`, `topics` or
/// `group`, and those of fewer than four bytes. Clones share the values. Debug output names the variables only.
///
/// ```
/// use sluicegate_core::config::Document;
///
/// let text = "name = 'p'\nsource.a.password = '${PASSWORD}'";
/// let document = Document::parse_with_env("p.toml", text, Vec::new(), |_| Some("hunter2".into()))?;
/// assert_eq!(document.secrets().redact("wrong password: hunter2"), "wrong password: ${PASSWORD}");
/// # Ok::<(), sluicegate_core::config::LocatedError>(())
/// ```
#[derive(Clone, Default)]
pub struct Secrets {
    /// Name and value, the longest value first so that none is replaced in part.
    values: Arc<[(String, String)]>,
}

impl Secrets {
    pub(super) fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut values: Vec<_> = values.into_iter().filter(|(_, value)| value.len() >= SECRET_BYTES_MIN).collect();
        values.sort_by(|(_, a), (_, b)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self { values: values.into() }
    }

    /// Whether the setting at `path` is shown as it is.
    pub(super) fn is_plain(path: &[String]) -> bool {
        path.last().is_some_and(|key| PLAIN_SETTINGS.contains(&key.as_str()))
    }

    /// `text` with the name of its variable in place of each value, also where the value stands as it does inside quotes, or
    /// inside quotes inside quotes, such as in a log line in JSON that shows a list of texts.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (name, value) in self.values.iter() {
            let quoted = value.escape_debug().to_string();
            let twice = quoted.escape_debug().to_string();
            for value in [&twice, &quoted, value] {
                if text.contains(value) {
                    text = Cow::Owned(text.replace(value, &format!("${{{name}}}")));
                }
            }
        }
        text
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        Secrets::new(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_longest_value_is_taken_out_whole() {
        let secrets = secrets(&[("SHORT", "swordfish"), ("LONG", "swordfish-2")]);
        assert_eq!(secrets.redact("swordfish-2, swordfish"), "${LONG}, ${SHORT}");
    }

    #[test]
    fn a_value_is_found_between_quotes_too() {
        let secrets = secrets(&[("A", "pass\"word\\1")]);
        let text = format!("{:?}", "pass\"word\\1");
        assert_eq!(secrets.redact(&text), "\"${A}\"");
        assert_eq!(secrets.redact(&format!("{text:?}")), "\"\\\"${A}\\\"\"");
    }

    #[test]
    fn short_values_are_left_and_debug_output_names_variables_only() {
        let secrets = secrets(&[("A", "abc"), ("B", "abcd")]);
        assert_eq!(secrets.redact("abc"), "abc");
        assert_eq!(format!("{secrets:?}"), "[\"B\"]");
    }
}
