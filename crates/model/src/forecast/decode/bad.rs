//! Values that cannot be used, and what becomes of them.

use sluicegate_core::{Counter, Offset};

use crate::config::{BadValuesConfig, OnBadValue};
use crate::error::ModelError;
use crate::forecast::vocabulary::Vocabulary;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    Missing,
    /// It is there, but nothing that can be worked with.
    Unusable(&'static str),
}

impl Bad {
    /// What is wrong with a class, if anything.
    pub(super) fn of_class(text: Option<&str>, vocabulary: &Vocabulary) -> Option<Self> {
        match text {
            None => Some(Self::Missing),
            Some(text) if vocabulary.admits(text) => None,
            Some(_) => Some(Self::Unusable("is neither true nor false, neither 0 nor 1")),
        }
    }

    /// What is to be done about it.
    pub(super) fn policy(self, is_target: bool, bad: BadValuesConfig) -> OnBadValue {
        match (is_target, self) {
            (true, Self::Missing) => bad.missing_target,
            (true, Self::Unusable(_)) => bad.target,
            (false, _) => bad.input,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "is null",
            Self::Unusable(reason) => reason,
        }
    }
}

/// Counts of values that were not used as they are.
#[derive(Debug, Clone)]
pub(in crate::forecast) struct BadValueCounters {
    pub(in crate::forecast) target: Counter,
    pub(in crate::forecast) target_missing: Counter,
    pub(in crate::forecast) input: Counter,
    pub(in crate::forecast) time: Counter,
}

/// Counts a value, or makes an error of it. Returns whether the key's last value takes its place.
pub(super) fn settle(
    what: OnBadValue,
    setting: &'static str,
    column: &(String, usize),
    at: Offset,
    bad: Bad,
    counter: &Counter,
) -> Result<bool, ModelError> {
    refuse(what, setting, column, at, bad.reason(), counter)?;
    Ok(what == OnBadValue::Carry)
}

/// Counts a value, or makes an error of it.
pub(super) fn refuse(
    what: OnBadValue,
    setting: &'static str,
    column: &(String, usize),
    at: Offset,
    reason: &'static str,
    counter: &Counter,
) -> Result<(), ModelError> {
    if what == OnBadValue::Fail {
        return Err(ModelError::BadValue { offset: at.0, column: column.0.clone(), reason, setting });
    }
    counter.add(1);
    Ok(())
}
