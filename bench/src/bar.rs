//! A figure that we promise, and whether it is met.

/// One promised figure as it was measured.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    what: String,
    value: f64,
    demand: Demand,
    digits: usize,
    unit: &'static str,
    note: String,
}

#[derive(Debug, Clone, Copy)]
enum Demand {
    AtMost(f64),
    AtLeast(f64),
    Within(f64, f64),
}

impl Bar {
    /// `value` may be `most` and no more.
    pub(crate) fn at_most(what: impl Into<String>, value: f64, most: f64) -> Self {
        Self::new(what.into(), value, Demand::AtMost(most))
    }

    /// `value` must be `least` or more.
    pub(crate) fn at_least(what: impl Into<String>, value: f64, least: f64) -> Self {
        Self::new(what.into(), value, Demand::AtLeast(least))
    }

    /// `value` must lie between `least` and `most`.
    pub(crate) fn within(what: impl Into<String>, value: f64, least: f64, most: f64) -> Self {
        Self::new(what.into(), value, Demand::Within(least, most))
    }

    fn new(what: String, value: f64, demand: Demand) -> Self {
        Self { what, value, demand, digits: 3, unit: "", note: String::new() }
    }

    /// Shows the demand with so many digits after the point, the value with one more, and `unit` after both.
    pub(crate) fn shown(mut self, digits: usize, unit: &'static str) -> Self {
        (self.digits, self.unit) = (digits, unit);
        self
    }

    /// Says something more on the line.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Whether the promise is kept; a value that is not a number keeps none.
    fn is_met(&self) -> bool {
        match self.demand {
            Demand::AtMost(most) => self.value <= most,
            Demand::AtLeast(least) => self.value >= least,
            Demand::Within(least, most) => (least..=most).contains(&self.value),
        }
    }

    fn line(&self, width: usize) -> String {
        let Self { what, value, digits, unit, note, .. } = self;
        let demand = match self.demand {
            Demand::AtMost(most) => format!("≤ {most:.digits$}{unit}"),
            Demand::AtLeast(least) => format!("≥ {least:.digits$}{unit}"),
            Demand::Within(least, most) => format!("in {least:.digits$} to {most:.digits$}{unit}"),
        };
        let verdict = if self.is_met() { "ok" } else { "short" };
        let more = digits + 1;
        let line = format!("{what:width$}  {value:>8.more$}{unit} {demand}  {verdict}");
        if note.is_empty() { line } else { format!("{line}  ({note})") }
    }
}

/// One line per bar and one that sums them up, and whether all are met.
pub(crate) fn verdict(bars: &[Bar]) -> (String, bool) {
    let width = bars.iter().map(|bar| bar.what.chars().count()).max().unwrap_or(0);
    let mut text: String = bars.iter().map(|bar| bar.line(width) + "\n").collect();
    let short: Vec<&str> = bars.iter().filter(|bar| !bar.is_met()).map(|bar| bar.what.as_str()).collect();
    if short.is_empty() {
        text.push_str(&format!("\nAll {} bars are met.", bars.len()));
    } else {
        text.push_str(&format!("\n{} of {} bars fall short: {}.", short.len(), bars.len(), short.join("; ")));
    }
    (text, short.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_that_are_met_are_all_ok() {
        let bars = [Bar::at_most("MSE", 0.2061, 0.215), Bar::at_least("speed-up", 8.0, 8.0).shown(0, "x")];
        let (text, met) = verdict(&bars);
        let expected = "MSE         0.2061 ≤ 0.215  ok\nspeed-up       8.0x ≥ 8x  ok\n\nAll 2 bars are met.";
        assert_eq!((text.as_str(), met), (expected, true));
    }

    #[test]
    fn a_bar_that_falls_short_is_named() {
        let bars = [
            Bar::at_most("MSE", 0.21504, 0.215),
            Bar::at_most("MAE", 0.1, 0.2),
            Bar::within("in 95 %", 97.2, 93.0, 97.0).shown(0, " %").note("of 10 events"),
        ];
        let (text, met) = verdict(&bars);
        let last: Vec<&str> = text.lines().skip(2).collect();
        let expected =
            ["in 95 %      97.2 % in 93 to 97 %  short  (of 10 events)", "", "2 of 3 bars fall short: MSE; in 95 %."];
        assert_eq!((last, met), (expected.to_vec(), false));
    }

    #[test]
    fn what_was_not_measured_keeps_no_promise() {
        for bar in
            [Bar::at_most("a", f64::NAN, 1.0), Bar::at_least("a", f64::NAN, 1.0), Bar::within("a", f64::NAN, 0.0, 1.0)]
        {
            assert!(!verdict(&[bar]).1);
        }
    }
}
