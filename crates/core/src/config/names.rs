//! The name that was probably meant.

/// Serde reports an unknown name as ``unknown field `x`, expected one of `a`, `b` ``; this finds the nearest of them.
pub(super) fn nearest_known(message: &str) -> Option<String> {
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
