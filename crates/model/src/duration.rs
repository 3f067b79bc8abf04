//! Spans of time as people write them: `15m`, `1h`, `250ms`.

/// Microseconds in a span such as `1h`; `None` when it is not one, or not above 0.
pub(crate) fn parse_micros(text: &str) -> Option<i64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let per_unit: i64 = match unit.trim() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(per_unit).filter(|micros| *micros > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_need_a_number_and_a_known_unit() {
        assert_eq!(parse_micros("15m"), Some(900_000_000));
        assert_eq!(parse_micros("250 ms"), Some(250_000));
        for wrong in ["", "h", "1", "0s", "-1h", "1.5h", "1 week", "99999999999999999d"] {
            assert_eq!(parse_micros(wrong), None, "{wrong:?}");
        }
    }
}
