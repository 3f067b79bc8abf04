//! Detectors in a snapshot: what all have in tables with a row each, what differs in length one after the other.

use std::collections::VecDeque;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{EwMeanSquare, EwMoments};

use crate::detector::{ERROR_ROWS, LEVEL_ROWS, State, Statistic, VALUE_MAX};
use crate::error::AnomalyError;
use crate::history::History;
use crate::novelty::Novelty;
use crate::window::Window;

/// Writes detectors down in the order given.
pub(crate) fn write(states: &[&State], to: &mut SnapshotWriter) -> Result<(), AnomalyError> {
    let count = states.len();
    let whole = |of: &dyn Fn(&State) -> u64| states.iter().map(|state| of(state) as i64).collect::<Vec<i64>>();
    let moments: Vec<f64> = states.iter().flat_map(|state| [state.moments.mean(), state.moments.variance()]).collect();
    to.i64("rows", &[count], &whole(&|state| state.rows))?;
    // Rows count from one, so zero is no alarm.
    to.i64("alarm", &[count], &whole(&|state| state.alarm.unwrap_or(0)))?;
    to.i64("moments.n", &[count], &whole(&|state| state.moments.n()))?;
    to.f64("moments", &[count, 2], &moments)?;
    ragged("level", states.iter().map(|state| state.level.values.iter().copied().collect()), to)?;
    ragged("error", states.iter().map(|state| state.error.values.iter().copied().collect()), to)?;
    for (place, statistic) in Statistic::ALL.into_iter().enumerate() {
        let novelty = || states.iter().map(|state| &state.novelty[place]);
        to.scope(&format!("novelty.{}", statistic.as_str()), |to| {
            to.i64("distances.n", &[count], &whole(&|state| state.novelty[place].distances.n()))?;
            to.f64("distances", &[count], &novelty().map(|novelty| novelty.distances.value()).collect::<Vec<_>>())?;
            ragged("waiting", novelty().map(|novelty| novelty.waiting.into_iter().collect()), to)?;
            ragged("history", novelty().map(|novelty| novelty.history.sorted()), to)
        })?;
    }
    Ok(())
}

/// Reads `count` detectors.
///
/// # Errors
/// When they are not what a detector can have come to.
pub(crate) fn read(count: usize, history_max: usize, from: &SnapshotReader<'_>) -> Result<Vec<State>, AnomalyError> {
    let wrong = || AnomalyError::Restore("a detector's state is none that rows lead to");
    let whole = |from: &SnapshotReader<'_>, name: &str| -> Result<Vec<u64>, AnomalyError> {
        from.i64(name, &[count])?.into_iter().map(|number| u64::try_from(number).map_err(|_| wrong())).collect()
    };
    let (rows, alarms, ns) = (whole(from, "rows")?, whole(from, "alarm")?, whole(from, "moments.n")?);
    let moments = from.f64("moments", &[count, 2])?;
    let windows = |name, rows| -> Result<Vec<Window>, AnomalyError> {
        let window = |values: Vec<f64>| Window { values: VecDeque::from(values) };
        Ok(unravel(count, name, rows, from)?.into_iter().map(window).collect())
    };
    let (mut levels, mut errors) =
        (windows("level", LEVEL_ROWS)?.into_iter(), windows("error", ERROR_ROWS)?.into_iter());
    let mut novelties = Vec::new();
    for statistic in Statistic::ALL {
        let from = from.scope(&format!("novelty.{}", statistic.as_str()));
        let (ns, squares) = (whole(&from, "distances.n")?, from.f64("distances", &[count])?);
        let waiting = unravel(count, "waiting", 1, &from)?;
        let histories = unravel(count, "history", history_max, &from)?;
        let mut of_statistic = Vec::with_capacity(count);
        for (((n, square), waiting), history) in ns.into_iter().zip(squares).zip(waiting).zip(histories) {
            of_statistic.push(Novelty {
                history: History::from_sorted(history_max, &history).ok_or_else(wrong)?,
                waiting: waiting.first().copied(),
                distances: EwMeanSquare::from_parts(n, square).ok_or_else(wrong)?,
            });
        }
        novelties.push(of_statistic.into_iter());
    }
    let mut states = Vec::with_capacity(count);
    for place in 0..count {
        let mut next = |place: usize| novelties.get_mut(place).and_then(Iterator::next).ok_or_else(wrong);
        let (mean, variance) = (moments[2 * place], moments[2 * place + 1]);
        if alarms[place] > rows[place] {
            return Err(wrong());
        }
        states.push(State {
            rows: rows[place],
            alarm: (alarms[place] > 0).then_some(alarms[place]),
            moments: EwMoments::from_parts(ns[place], mean, variance).ok_or_else(wrong)?,
            level: levels.next().ok_or_else(wrong)?,
            error: errors.next().ok_or_else(wrong)?,
            novelty: [next(0)?, next(1)?, next(2)?],
        });
    }
    Ok(states)
}

/// Lists of different lengths, one after the other.
fn ragged(name: &str, lists: impl Iterator<Item = Vec<f64>>, to: &mut SnapshotWriter) -> Result<(), AnomalyError> {
    let (mut lengths, mut values) = (Vec::new(), Vec::new());
    for list in lists {
        lengths.push(list.len() as i64);
        values.extend(list);
    }
    to.i64(&format!("{name}.len"), &[lengths.len()], &lengths)?;
    Ok(to.f64(name, &[values.len()], &values)?)
}

/// The lists that [`ragged`] wrote, each of at most `max` usable numbers.
fn unravel(count: usize, name: &str, max: usize, from: &SnapshotReader<'_>) -> Result<Vec<Vec<f64>>, AnomalyError> {
    let wrong =
        || AnomalyError::Restore("a list of a detector is longer than it can be, or its numbers are not usable");
    let lengths = from.i64(&format!("{name}.len"), &[count])?;
    let values = from.f64(name, &from.shape(name)?)?;
    // A mean of errors, each of up to twice the largest value.
    if !values.iter().all(|value| value.abs() <= 2.0 * VALUE_MAX) {
        return Err(wrong());
    }
    let mut rest = values.as_slice();
    let mut lists = Vec::with_capacity(count);
    for length in lengths {
        let length = usize::try_from(length).ok().filter(|length| *length <= max.min(rest.len())).ok_or_else(wrong)?;
        let (list, after) = rest.split_at(length);
        lists.push(list.to_vec());
        rest = after;
    }
    if rest.is_empty() { Ok(lists) } else { Err(wrong()) }
}
