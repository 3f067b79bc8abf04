//! A wave: the next event of each of several keys, in log order, with everything that models look at.

use std::ops::Range;

/// Widths that all parts of a forecast agree on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dims {
    /// Number of targets.
    pub targets: usize,
    /// How many events ahead to forecast, increasing, each at least 1.
    pub horizons: Vec<usize>,
    /// Numbers of the network's input.
    pub inputs: usize,
    /// Width of the calendar.
    pub calendar: usize,
    /// Where targets are classes: how many each has. Empty where they are numbers.
    pub classes: Vec<usize>,
    /// Classes among the network's input: how many each may be of, and how the network sees them.
    pub codes: Vec<Code>,
}

/// A class among the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// How many classes there are.
    pub classes: usize,
    /// Numbers of the learned vector that stands for a class; `None` where each class has an input of its own.
    pub embedding: Option<usize>,
}

impl Code {
    /// Numbers that the cell sees of it.
    pub fn width(&self) -> usize {
        self.embedding.unwrap_or(self.classes)
    }
}

impl Dims {
    /// Outputs: a target at a horizon. Output `target * horizons + horizon index`.
    pub fn outputs(&self) -> usize {
        self.targets * self.horizons.len()
    }

    /// Width of what the cell sees: the numbers, then what stands for each class.
    pub fn cell_inputs(&self) -> usize {
        self.inputs + self.codes.iter().map(Code::width).sum::<usize>()
    }

    /// Where targets are classes: how many each output has.
    pub fn classes_of_outputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.pairs().map(|(target, _)| self.classes[target])
    }

    /// Where the probabilities of each output are among all that are said of an event.
    pub fn probability_ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.classes_of_outputs().scan(0, |end, classes| {
            let start = *end;
            *end += classes;
            Some(start..*end)
        })
    }

    /// Probabilities that are said of an event: one for each class of each output.
    pub fn probabilities(&self) -> usize {
        self.classes_of_outputs().sum()
    }

    /// The farthest horizon.
    pub fn horizon_max(&self) -> usize {
        self.horizons.last().copied().unwrap_or(1)
    }

    /// Target and horizon of every output, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.targets).flat_map(|target| self.horizons.iter().map(move |horizon| (target, *horizon)))
    }
}

/// One event of each of several distinct keys. All arrays are row-major with one row per event; NaN is "not known".
///
/// With B rows, T targets and K outputs (a target at a horizon, see [`Dims::outputs`]).
#[derive(Debug, Clone, Default)]
pub struct Wave {
    /// Place of each event's key in per-key memory.
    pub slots: Vec<usize>,
    /// Index of each event among all rows of the shard, from 0.
    pub rows: Vec<i64>,
    /// Index of each event among those of its key, from 0.
    pub events: Vec<u64>,
    /// `[B, T]`: the last observed value of each target, this event's included.
    pub level: Vec<f64>,
    /// `[B, T]`: the level in units of its running deviation around its running mean.
    pub level_feature: Vec<f64>,
    /// `[B, T]`: the smallest scale a forecast of the target may have.
    pub scale_min: Vec<f64>,
    /// `[B, K]`: the running scale of the target's differences over the horizon.
    pub scale: Vec<f64>,
    /// `[B, K]`: the value observed now less the level `horizon` events ago.
    pub difference: Vec<f64>,
    /// `[B, calendar]`: the calendar of the next event's time.
    pub calendar: Vec<f64>,
    /// `[B, inputs]`: the numbers of the network's input.
    pub inputs: Vec<f32>,
    /// `[B, codes]`: the classes of the network's input, [`MISSING`] where missing.
    pub codes: Vec<u32>,
    /// `[B, T]`, where targets are classes: the class observed now, as it counts for what was forecast of it; [`MISSING`] where
    /// missing.
    pub classes: Vec<u32>,
    /// `[B, T]`, where targets are classes: the Unicode character that the class is, `u32::MAX` where it is none; of a byte beyond ASCII
    /// U+FFFD. May be empty where nobody asks.
    pub characters: Vec<u32>,
}

/// Stands for a class that is missing.
pub const MISSING: u32 = u32::MAX;

impl Wave {
    /// How many events.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Removes all events and keeps the memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.rows.clear();
        self.events.clear();
        for array in [
            &mut self.level,
            &mut self.level_feature,
            &mut self.scale_min,
            &mut self.scale,
            &mut self.difference,
            &mut self.calendar,
        ] {
            array.clear();
        }
        self.inputs.clear();
        self.codes.clear();
        self.classes.clear();
        self.characters.clear();
    }
}
