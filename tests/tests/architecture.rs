//! Which crate may know which: the table of ARCHITECTURE.md, held against what cargo reports.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but does not know their helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};

/// What each crate of ours may depend on, among ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("sluicegate-core", &[]),
    ("sluicegate-score", &[]),
    ("sluicegate-native", &[]),
    ("sluicegate-broker", &[]),
    ("sluicegate-place", &[]),
    ("sluicegate-checkpoint", &["sluicegate-core", "sluicegate-place"]),
    ("sluicegate-formats", &["sluicegate-core"]),
    ("sluicegate-kafka", &["sluicegate-core"]),
    ("sluicegate-source", &["sluicegate-core", "sluicegate-formats", "sluicegate-kafka", "sluicegate-place"]),
    ("sluicegate-sink", &["sluicegate-core", "sluicegate-formats", "sluicegate-kafka", "sluicegate-place"]),
    ("sluicegate-model", &["sluicegate-core", "sluicegate-native", "sluicegate-score"]),
    ("sluicegate-anomaly", &["sluicegate-core", "sluicegate-score"]),
    ("sluicegate-symbols", &["sluicegate-core"]),
    ("sluicegate-stream", &["sluicegate-core", "sluicegate-checkpoint"]),
    ("sluicegate", FACADE),
    ("sluicegate-cli", &["sluicegate"]),
    ("sluicegate-testkit", &["sluicegate-core", "sluicegate-broker", "sluicegate-model"]),
];

/// What the facade re-exports. All but [`ALWAYS`] are features of it.
const FACADE: &[&str] = &[
    "sluicegate-anomaly",
    "sluicegate-checkpoint",
    "sluicegate-core",
    "sluicegate-source",
    "sluicegate-sink",
    "sluicegate-model",
    "sluicegate-stream",
    "sluicegate-symbols",
];
const ALWAYS: &[&str] = &["sluicegate-checkpoint", "sluicegate-core", "sluicegate-stream"];

/// Crates that nothing else is built from; they may depend on anything.
const OUTERMOST: &[&str] = &["sluicegate-bench", "sluicegate-tests", "xtask"];

/// What any crate's own tests may use besides.
const FOR_TESTS: &str = "sluicegate-testkit";

/// Crates of others that only these of ours may name.
const RESERVED: &[(&str, &[&str])] = &[("clap", &["sluicegate-cli", "sluicegate-bench", "xtask"])];

/// Crates that these of ours must not be built from, by however many steps.
const OUT_OF_REACH: &[(&str, &[&str])] = &[
    ("sluicegate-core", &["tokio", "futures", "futures-core", "async-trait", "tch", "torch-sys", "rdkafka"]),
    ("sluicegate-score", &["tokio", "futures", "futures-core", "async-trait", "tch", "torch-sys", "rdkafka", "arrow"]),
    ("sluicegate-native", &["tokio", "futures", "futures-core", "async-trait", "tch", "torch-sys", "rdkafka", "arrow"]),
    ("sluicegate-anomaly", &["tokio", "futures", "tch", "torch-sys", "rdkafka"]),
    ("sluicegate-symbols", &["tokio", "futures", "tch", "torch-sys", "rdkafka"]),
];

/// Crates that may switch off `unsafe_code = "forbid"`: none yet.
const MAY_BE_UNSAFE: &[&str] = &[];

/// One entry in the dependencies of a crate of ours.
#[derive(Clone, Debug)]
struct Arrow {
    from: String,
    to: String,
    is_optional: bool,
    is_for_tests: bool,
}

/// What is wrong with `arrow` in a workspace of the crates `ours`, if anything.
fn fault(arrow: &Arrow, ours: &BTreeSet<String>) -> Option<String> {
    let (from, to) = (arrow.from.as_str(), arrow.to.as_str());
    if let Some((_, allowed)) = RESERVED.iter().find(|(name, _)| *name == to) {
        return (!allowed.contains(&from)).then(|| format!("{from} -> {to}: only {} may", allowed.join(", ")));
    }
    if !ours.contains(to) || OUTERMOST.contains(&from) || arrow.is_for_tests && to == FOR_TESTS {
        return None;
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == from) else {
        return Some(format!("{from} -> {to}: {from} is not in the table; add it here and to ARCHITECTURE.md"));
    };
    if !allowed.contains(&to) {
        return Some(format!("{from} -> {to}: of our crates, {from} may depend on {allowed:?} only"));
    }
    let is_heavy = match from {
        "sluicegate" => !ALWAYS.contains(&to),
        FOR_TESTS => to != "sluicegate-core",
        _ => false,
    };
    (is_heavy && !arrow.is_for_tests && !arrow.is_optional)
        .then(|| format!("{from} -> {to}: must be optional, behind a feature of its own"))
}

/// A way from the crate `from` to one of `forbidden`, as `a -> b -> c`, if there is one in `graph`.
fn way(from: &str, forbidden: &[&str], graph: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop() {
        let last = way.last().copied().unwrap_or(from);
        if forbidden.contains(&last) {
            return Some(way.join(" -> "));
        }
        for next in graph.get(last).into_iter().flatten().filter(|next| seen.insert(next)) {
            ways.push([way.as_slice(), &[next]].concat());
        }
    }
    None
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What cargo knows of the workspace, as built on this machine (so that nothing for other systems is downloaded).
fn metadata() -> Metadata {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--filter-platform".to_owned(), host.to_owned()])
        .exec()
        .unwrap()
}

fn arrows(metadata: &Metadata) -> Vec<Arrow> {
    let of = |package: &cargo_metadata::Package| {
        let from = package.name.to_string();
        let arrow = move |dependency: &cargo_metadata::Dependency| Arrow {
            from: from.clone(),
            to: dependency.name.clone(),
            is_optional: dependency.optional,
            is_for_tests: dependency.kind == DependencyKind::Development,
        };
        package.dependencies.iter().map(arrow).collect::<Vec<_>>()
    };
    metadata.workspace_packages().into_iter().flat_map(of).collect()
}

/// Who is built from whom, by name, whoever it belongs to; without what is for tests only.
fn graph(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let name = |id: &PackageId| metadata[id].name.to_string();
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for node in &metadata.resolve.as_ref().unwrap().nodes {
        let built_in =
            |dep: &&cargo_metadata::NodeDep| dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
        let built_from = node.deps.iter().filter(built_in).map(|dep| name(&dep.pkg));
        graph.entry(name(&node.id)).or_default().extend(built_from);
    }
    graph
}

fn names(metadata: &Metadata) -> BTreeSet<String> {
    metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect()
}

#[test]
fn every_arrow_between_our_crates_is_in_the_table() {
    let metadata = metadata();
    let ours = names(&metadata);
    let arrows = arrows(&metadata);
    assert!(arrows.iter().any(|arrow| ours.contains(&arrow.to)), "cargo reported no arrow between our crates");
    let faults: Vec<String> = arrows.iter().filter_map(|arrow| fault(arrow, &ours)).collect();
    assert!(faults.is_empty(), "arrows that ARCHITECTURE.md rules out:\n{}", faults.join("\n"));
}

#[test]
fn the_table_names_every_crate_and_no_other() {
    let tabled = ALLOWED.iter().map(|(name, _)| *name).chain(OUTERMOST.iter().copied());
    assert_eq!(tabled.map(str::to_owned).collect::<BTreeSet<_>>(), names(&metadata()));
}

#[test]
fn the_core_is_built_without_a_runtime_kafka_or_libtorch() {
    let graph = graph(&metadata());
    assert!(OUT_OF_REACH.iter().all(|(from, _)| graph.contains_key(*from)), "cargo reported no such crate");
    let ways: Vec<String> = OUT_OF_REACH.iter().filter_map(|(from, forbidden)| way(from, forbidden, &graph)).collect();
    assert!(ways.is_empty(), "ways to crates that must stay out of reach:\n{}", ways.join("\n"));
}

/// Everything that a crate is built from without its default features, by name.
fn built_from_without_features(package: &str) -> BTreeSet<String> {
    let args =
        ["tree", "--offline", "-p", package, "--no-default-features", "-e", "normal", "--prefix", "none", "-f", "{p}"];
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo).args(args).current_dir(root()).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let names = String::from_utf8(tree.stdout).unwrap();
    names.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn files_are_read_without_what_only_kafka_needs() {
    let crates = built_from_without_features("sluicegate-source");
    assert!(crates.contains("sluicegate-formats"), "{crates:?}");
    for name in ["sluicegate-kafka", "rdkafka", "arrow-avro", "ureq"] {
        assert!(!crates.contains(name), "the source is built from {name} without the feature `kafka`");
    }
}

#[test]
fn operators_are_tested_without_what_only_models_need() {
    let crates = built_from_without_features("sluicegate-testkit");
    assert!(crates.contains("sluicegate-core"), "{crates:?}");
    for name in ["sluicegate-model", "tch", "torch-sys", "sluicegate-broker"] {
        assert!(!crates.contains(name), "the testkit is built from {name} without a feature");
    }
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate_not_listed() {
    let lints = |manifest: &Path| -> toml::Table {
        std::fs::read_to_string(manifest).unwrap().parse().unwrap_or_else(|error| panic!("{manifest:?}: {error}"))
    };
    let workspace = lints(&root().join("Cargo.toml"));
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for package in metadata().workspace_packages() {
        let manifest = lints(package.manifest_path.as_std_path());
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
        let listed = MAY_BE_UNSAFE.contains(&package.name.as_str());
        assert!(inherits != listed, "{}: `lints.workspace = true` must stand in its Cargo.toml", package.name);
    }
}

/// The checks themselves, on made-up arrows.
mod checker {
    use super::*;

    fn check(from: &str, to: &str, is_optional: bool, is_for_tests: bool) -> Option<String> {
        let ours = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).chain(["sluicegate-new".to_owned()]).collect();
        fault(&Arrow { from: from.into(), to: to.into(), is_optional, is_for_tests }, &ours)
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_refused_by_name() {
        let fault = check("sluicegate-stream", "sluicegate-source", false, false).unwrap();
        assert!(fault.starts_with("sluicegate-stream -> sluicegate-source:"), "{fault}");
        assert!(check("sluicegate-core", "sluicegate-score", true, false).is_some());
        assert!(check("sluicegate-score", "sluicegate-core", false, true).is_some());
        assert!(check("sluicegate-cli", "sluicegate-model", false, false).is_some());
        assert!(check("sluicegate-new", "sluicegate-core", false, false).unwrap().contains("not in the table"));
    }

    #[test]
    fn an_arrow_in_the_table_is_let_through() {
        assert_eq!(check("sluicegate-model", "sluicegate-core", false, false), None);
        assert_eq!(check("sluicegate-bench", "sluicegate-model", false, false), None);
        assert_eq!(check("sluicegate-core", "serde", false, false), None);
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert_eq!(check("sluicegate-source", FOR_TESTS, false, true), None);
        assert!(check("sluicegate-source", FOR_TESTS, false, false).is_some());
        assert!(check(FOR_TESTS, "sluicegate-source", true, false).is_some());
    }

    #[test]
    fn the_facade_makes_every_heavy_part_optional() {
        assert_eq!(check("sluicegate", "sluicegate-core", false, false), None);
        assert_eq!(check("sluicegate", "sluicegate-model", true, false), None);
        assert!(check("sluicegate", "sluicegate-model", false, false).unwrap().contains("must be optional"));
    }

    #[test]
    fn the_testkit_makes_every_heavy_part_optional() {
        assert_eq!(check(FOR_TESTS, "sluicegate-core", false, false), None);
        assert_eq!(check(FOR_TESTS, "sluicegate-model", true, false), None);
        assert!(check(FOR_TESTS, "sluicegate-model", false, false).unwrap().contains("must be optional"));
        assert!(check(FOR_TESTS, "sluicegate-broker", false, false).unwrap().contains("must be optional"));
    }

    #[test]
    fn arguments_are_parsed_at_the_edge_only() {
        assert_eq!(check("sluicegate-cli", "clap", false, false), None);
        assert_eq!(
            check("sluicegate", "clap", true, false).unwrap(),
            "sluicegate -> clap: only sluicegate-cli, sluicegate-bench, xtask may"
        );
    }

    #[test]
    fn a_runtime_behind_a_dependency_is_found_and_the_way_to_it_named() {
        let graph = [("core", "a"), ("a", "b"), ("b", "a"), ("b", "tokio"), ("core", "c")];
        let mut by_name = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in graph {
            by_name.entry(from.into()).or_default().insert(to.into());
        }
        assert_eq!(way("core", &["tokio"], &by_name).unwrap(), "core -> a -> b -> tokio");
        assert_eq!(way("c", &["tokio"], &by_name), None);
    }
}
