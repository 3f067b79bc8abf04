//! How classes are told apart: the table `classes`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

use super::{ForecastConfig, HIDDEN_MAX, no_repeats};
use crate::head::HeadKind;
use crate::wave::Code;

/// How classes are told apart: of targets, where they are classes, and of `features.categories`.
///
/// Classes are numbered in the order in which the log first shows them. One that was never seen before is forecast as part of
/// an open class, `(other)`, and has a number of its own from then on, as long as there are any left.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassesConfig {
    /// Most classes to tell apart in a column. All that come later count as the open class.
    pub max: usize,
    /// Classes that are known beforehand, by column, such as `{ light = ["red", "green"] }`.
    pub known: BTreeMap<String, Vec<String>>,
    /// Numbers of a learned vector that stands for a class among the network's input. By default there is an input of its own
    /// for each class where there are at most 32, else a vector of 16 numbers.
    pub embedding: Option<usize>,
    /// How many past classes the model `ar` conditions on.
    pub order: usize,
}

/// Columns with more classes are seen through learned vectors by default, and those are so long.
const ONE_HOT_MAX: usize = 33;
const EMBEDDING_DEFAULT: usize = 16;
/// More classes than this would make the last layer larger than everything else.
const CLASSES_MAX: usize = 65_536;
/// Longer contexts are seldom met twice.
const ORDER_MAX: usize = 16;

impl Default for ClassesConfig {
    fn default() -> Self {
        Self { max: 32, known: BTreeMap::new(), embedding: None, order: 4 }
    }
}

impl ClassesConfig {
    /// How the network sees a column with so many classes.
    pub(crate) fn code(&self, classes: usize) -> Code {
        let by_default = (classes > ONE_HOT_MAX).then_some(EMBEDDING_DEFAULT);
        Code { classes, embedding: self.embedding.or(by_default) }
    }

    pub(super) fn validate(&self, config: &ForecastConfig) -> Result<(), ConfigError> {
        let fail = |key: &str, message: String| Err(ConfigError::new(key, message));
        if !(1..=CLASSES_MAX).contains(&self.max) {
            return fail("max", format!("must be from 1 to {CLASSES_MAX}, not {}", self.max));
        }
        if self.embedding.is_some_and(|width| !(1..=HIDDEN_MAX).contains(&width)) {
            return fail("embedding", format!("must be from 1 to {HIDDEN_MAX}"));
        }
        if !(1..=ORDER_MAX).contains(&self.order) {
            return fail("order", format!("must be from 1 to {ORDER_MAX}, not {}", self.order));
        }
        for (column, known) in &self.known {
            no_repeats(&format!("known.{column}"), known)?;
            if known.len() > self.max {
                let (count, max) = (known.len(), self.max);
                return fail(&format!("known.{column}"), format!("names {count} classes, and max is {max}"));
            }
            let is_target = config.model.head == HeadKind::Categorical && config.targets.contains(column);
            if !is_target && !config.features.categories.contains(column) {
                let message = "is neither a target that is a class nor one of features.categories";
                return fail(&format!("known.{column}"), message.to_owned());
            }
        }
        Ok(())
    }
}
