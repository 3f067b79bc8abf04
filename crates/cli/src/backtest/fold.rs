//! The ranges of time that are scored.

/// Times in microseconds since 1970, from the first on and before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fold {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Fold {
    pub(super) fn contains(&self, time: i64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// First events that are not scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum WarmUp {
    Events(usize),
    /// From 0 to below 1.
    Share(f64),
}

impl WarmUp {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "--warm-up {text}: expected a number of events or a share from 0% to below 100%\n  help: write 3600, for example, or 20%"
            )
        };
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..100.0).contains(&percent) => Ok(Self::Share(percent / 100.0)),
                _ => Err(refused()),
            },
            None => text.replace('_', "").parse().map(Self::Events).map_err(|_| refused()),
        }
    }
}

/// Cuts the sorted times of a history into folds of as many events as can be; events of one time stay together.
///
/// # Errors
/// Says which fold would be empty, and why.
pub(super) fn folds(
    times: &[i64],
    warm_up: WarmUp,
    from: Option<i64>,
    to: Option<i64>,
    count: usize,
) -> Result<Vec<Fold>, String> {
    let skipped = match warm_up {
        WarmUp::Events(events) => events,
        WarmUp::Share(share) => (share * times.len() as f64).floor() as usize,
    };
    if skipped >= times.len() {
        return Err(format!(
            "the warm-up of {skipped} events leaves none to score: the history has {}\n  help: shorten it with --warm-up",
            times.len()
        ));
    }
    let first = times.partition_point(|time| *time < times[skipped].max(from.unwrap_or(i64::MIN)));
    let end = times.partition_point(|time| to.is_none_or(|to| *time < to));
    if first >= end {
        let help = "change --from, --to or --warm-up";
        return Err(format!(
            "no event is scored: none lies behind the warm-up and from --from to --to\n  help: {help}"
        ));
    }
    let last = to.unwrap_or(times[end - 1].saturating_add(1)).max(times[end - 1].saturating_add(1));
    let cut = |place: usize| if place == count { last } else { times[first + (end - first) * place / count] };
    let folds: Vec<Fold> = (0..count).map(|place| Fold { from: cut(place), to: cut(place + 1) }).collect();
    match folds.iter().position(|fold| fold.from >= fold.to) {
        None => Ok(folds),
        Some(place) => Err(format!(
            "fold {} of {count} holds no event: {} events are scored, and events of one time stay together\n  help: ask for fewer with --folds",
            place + 1,
            end - first
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_follow_each_other_without_a_gap_and_leave_the_warm_up_out() {
        let times: Vec<i64> = (0..100).collect();
        let found = folds(&times, WarmUp::Share(0.2), None, None, 4).unwrap();
        let cuts: Vec<(i64, i64)> = found.iter().map(|fold| (fold.from, fold.to)).collect();
        assert_eq!(cuts, [(20, 40), (40, 60), (60, 80), (80, 100)]);
        let found = folds(&times, WarmUp::Events(10), Some(50), Some(70), 2).unwrap();
        assert_eq!(found, [Fold { from: 50, to: 60 }, Fold { from: 60, to: 70 }]);
        assert!(found[0].contains(50) && !found[0].contains(60) && found[1].contains(60));
    }

    #[test]
    fn a_fold_without_an_event_is_refused_by_number() {
        let error = folds(&[1, 1, 1, 1, 2], WarmUp::Events(0), None, None, 3).unwrap_err();
        assert!(error.starts_with("fold 1 of 3 holds no event"), "{error}");
        let error = folds(&[1, 2], WarmUp::Events(2), None, None, 1).unwrap_err();
        assert!(error.starts_with("the warm-up of 2 events leaves none"), "{error}");
        assert!(folds(&[1, 2], WarmUp::Events(0), Some(9), None, 1).unwrap_err().starts_with("no event is scored"));
    }

    #[test]
    fn a_warm_up_is_a_number_of_events_or_a_share() {
        assert_eq!(WarmUp::parse("3_600"), Ok(WarmUp::Events(3_600)));
        assert_eq!(WarmUp::parse("25%"), Ok(WarmUp::Share(0.25)));
        for wrong in ["100%", "-1", "soon", "-5%"] {
            assert!(WarmUp::parse(wrong).unwrap_err().contains(wrong));
        }
    }
}
