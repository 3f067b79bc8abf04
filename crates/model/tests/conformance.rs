//! Every kind of the family and every head through the suites of the testkit. Members come from their names in pipeline files
//! (see `common/members.rs`), so one that is added to the family is held to the laws here, or the test does not compile.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::members::{every, settings};
use sluicegate_model::cell::GruVariant;
use sluicegate_model::experts::ExpertsConfig;
use sluicegate_model::head::HeadKind;
use sluicegate_model::{Code, Dims, ForecastConfig, ModelError, ModelKind};
use sluicegate_testkit::{head, predictor};

/// Widths of targets that are numbers.
fn dims_of_numbers(config: &ForecastConfig) -> Dims {
    let (targets, features) = (config.targets.len(), &config.features);
    let (inputs, calendar) = (features.width(targets), features.calendar_width());
    Dims { targets, horizons: config.horizons.clone(), inputs, calendar, ..Dims::default() }
}

/// Widths of targets that are classes: `yes` has two, any other three and the open one. Another column is seen by a learned vector.
fn dims_of_classes(config: &ForecastConfig) -> Dims {
    let classes: Vec<usize> = config.targets.iter().map(|name| if name == "yes" { 2 } else { 4 }).collect();
    let one_hot = classes.iter().map(|classes| Code { classes: *classes, embedding: None });
    let codes = one_hot.chain([Code { classes: 5, embedding: Some(2) }]).collect();
    let (inputs, calendar) = (config.features.width(0), config.features.calendar_width());
    let (targets, horizons) = (config.targets.len(), config.horizons.clone());
    Dims { targets, horizons, inputs, calendar, classes, codes }
}

/// What a failing test prints is of the last one named.
fn name(config: &ForecastConfig) {
    println!("{:?}", config.model);
}

fn assert_conforms(config: &ForecastConfig) {
    assert!(conforms(config), "a model of numbers");
}

/// Whether there is such a model of numbers.
fn conforms(config: &ForecastConfig) -> bool {
    name(config);
    let (config, dims) = (config.clone(), dims_of_numbers(config));
    if let Err(ModelError::NotOfNumbers(_)) = config.model.kind.build(&config, &dims, Path::new(".")) {
        return false;
    }
    let (features, of) = (config.features.clone(), dims.clone());
    let build = move || config.model.kind.build(&config, &of, Path::new(".")).unwrap();
    predictor::Suite::new(dims, build).with_features(features).assert_all();
    true
}

/// Whether there is such a model of classes.
fn conforms_of_classes(config: &ForecastConfig) -> bool {
    name(config);
    let (config, dims) = (config.clone(), dims_of_classes(config));
    if let Err(ModelError::NotOfClasses(_)) = config.model.kind.build_of_classes(&config, &dims, Path::new(".")) {
        return false;
    }
    let (features, of) = (config.features.clone(), dims.clone());
    let build = move || config.model.kind.build_of_classes(&config, &of, Path::new(".")).unwrap();
    predictor::Suite::new(dims, build).with_features(features).assert_all();
    true
}

#[test]
fn every_control_keeps_the_laws_of_predictors() {
    let mut of_classes_only = Vec::new();
    for kind in every::<ModelKind>().into_iter().filter(|kind| kind.network().is_none()) {
        if !settings(kind, &["price", "volume"]).iter().all(conforms) {
            of_classes_only.push(kind);
        }
    }
    assert_eq!(of_classes_only, [ModelKind::Experts]);
}

#[test]
fn every_network_keeps_the_laws_of_predictors() {
    for kind in every::<ModelKind>().into_iter().filter(|kind| kind.network().is_some()) {
        settings(kind, &["price"]).iter().for_each(assert_conforms);
    }
}

#[test]
fn every_model_of_classes_keeps_the_laws_of_predictors() {
    let mut of_numbers_only = Vec::new();
    for kind in every::<ModelKind>() {
        for mut config in settings(kind, &["yes", "light"]) {
            config.model.head = HeadKind::Categorical;
            if !conforms_of_classes(&config) {
                of_numbers_only.push(kind);
            }
        }
    }
    of_numbers_only.dedup();
    assert_eq!(of_numbers_only, [ModelKind::Ewma, ModelKind::Garch]);
}

#[test]
fn a_network_keeps_the_laws_of_predictors_with_every_head() {
    for head in every::<HeadKind>() {
        let mut config = settings(ModelKind::Gru, &["yes"]).swap_remove(0);
        config.model.head = head;
        if head.is_of_classes() { assert!(conforms_of_classes(&config)) } else { assert_conforms(&config) }
    }
}

#[test]
fn a_network_over_experts_keeps_the_laws_of_predictors() {
    for mut config in settings(ModelKind::Lstm, &["yes", "light"]) {
        config.model.head = HeadKind::Categorical;
        config.model.experts = Some(ExpertsConfig::default());
        config.horizons = vec![1];
        assert!(conforms_of_classes(&config));
    }
}

#[test]
fn every_head_keeps_the_laws_of_heads() {
    for kind in every::<HeadKind>() {
        println!("{kind:?}");
        // Two targets, of which those of classes differ in how many there are where the head lets them.
        let targets = if kind == HeadKind::Bernoulli { ["yes", "yes"] } else { ["yes", "light"] };
        let config = settings(ModelKind::Lstm, &targets).swap_remove(0);
        if kind.is_of_classes() {
            let dims = dims_of_classes(&config);
            let of = dims.clone();
            head::Suite::new(dims, move || kind.of_classes(&of).unwrap()).assert_all();
        } else {
            let dims = dims_of_numbers(&config);
            let outputs = dims.outputs();
            let suite = head::Suite::new(dims, move || kind.of_numbers(outputs).unwrap());
            suite.assert_all();
            // The Gaussian's gradient is bounded for outliers; that of the others is the loss's however far out a label is.
            if kind != HeadKind::Gaussian {
                suite.with_labels_up_to(12.0).assert_all();
            }
        }
    }
}

/// The tests above are worth what this list is.
#[test]
fn the_members_are_those_of_pipeline_files() {
    let kinds: Vec<&str> = every::<ModelKind>().into_iter().map(ModelKind::as_str).collect();
    let expected = [
        "persistence",
        "seasonal",
        "markov",
        "ar",
        "ewma",
        "garch",
        "experts",
        "lstm",
        "gru",
        "rnn",
        "mlp",
        "full-history",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(every::<GruVariant>(), [GruVariant::ResetAfter, GruVariant::ResetBefore]);
    let heads =
        [HeadKind::StudentT, HeadKind::Gaussian, HeadKind::Quantiles, HeadKind::Categorical, HeadKind::Bernoulli];
    assert_eq!(every::<HeadKind>(), heads);
}
