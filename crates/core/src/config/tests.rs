//! Documents, overrides and errors together.

use std::path::Path;

use serde::Deserialize;

use super::*;
use crate::ConfigError;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: String,
    #[serde(default)]
    model: Model,
}

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(deny_unknown_fields)]
struct Model {
    hidden: usize,
}

const TEXT: &str = r#"name = "power"

[operator.forecast]
type = "forecast"
path = "a/${DIR}/$${x}"
[operator.forecast.model]
hidden = 32
"#;

fn document(text: &str, overrides: &[&str]) -> Result<Document, LocatedError> {
    let overrides = overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
    Document::parse_with_env("p.toml", text, overrides, |name| (name == "DIR").then(|| "dir".to_owned()))
}

fn forecast(document: &Document) -> Table {
    let mut table = document.root().subtables("operator").unwrap().remove(0);
    assert_eq!(table.take::<String>("type").unwrap().as_deref(), Some("forecast"));
    table
}

#[test]
fn variables_are_replaced_and_escapes_are_kept() {
    let settings: Settings = forecast(&document(TEXT, &[]).unwrap()).read().unwrap();
    assert_eq!(settings, Settings { path: "a/dir/${x}".into(), model: Model { hidden: 32 } });
}

#[test]
fn a_variable_that_is_not_set_is_named_with_its_place() {
    let error = document(&TEXT.replace("DIR", "NOPE"), &[]).unwrap_err();
    assert_eq!(error.place, Some((5, 8)));
    assert!(error.message.contains("NOPE"), "{error}");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    let document = document(&TEXT.replace("hidden", "hiden"), &[]).unwrap();
    let error = forecast(&document).read::<Settings>().unwrap_err();
    assert_eq!(error.place, Some((7, 1)));
    assert_eq!(error.help.as_deref(), Some("did you mean `hidden`?"));
}

#[test]
fn an_error_of_a_component_gets_the_place_of_its_setting() {
    let table = forecast(&document(TEXT, &[]).unwrap());
    let error = table.locate(ConfigError::new("model.hidden", "must not be 0"));
    assert_eq!(error.to_string(), "p.toml:7:1: `operator.forecast.model.hidden`: must not be 0");
    let absent = table.locate(ConfigError::new("model.rate", "is missing"));
    assert_eq!(absent.place, Some((6, 20)));
}

#[test]
fn overrides_replace_values_by_full_and_by_short_path() {
    for path in ["operator.forecast.model.hidden=64", "forecast.model.hidden=64", "model.hidden = 64"] {
        let document = document(TEXT, &[path, "forecast.path=some where"]).unwrap();
        let settings: Settings = forecast(&document).read().unwrap();
        assert_eq!(settings, Settings { path: "some where".into(), model: Model { hidden: 64 } }, "{path}");
    }
}

#[test]
fn where_there_is_no_file_an_error_names_the_setting_alone() {
    let document =
        Document::parse_with_env("", "a = 1\n[operator.forecast]\ntype = \"forecast\"\n", Vec::new(), |_| None);
    let error = forecast(&document.unwrap()).locate(ConfigError::new("type", "there is none"));
    assert_eq!(error.to_string(), "`operator.forecast.type`: there is none");
}

#[test]
fn an_override_that_does_not_fit_is_an_error_without_a_line() {
    let document = document(TEXT, &["model.hidden=many"]).unwrap();
    let error = forecast(&document).read::<Settings>().unwrap_err();
    assert_eq!(error.place, None);
    assert!(error.message.contains("many"), "{error}");
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_place() {
    let error = document("name = \n", &[]).unwrap_err();
    assert_eq!(error.place.map(|(line, _)| line), Some(1));
}

/// What reading the forecast, or the document before it, says is wrong.
fn complaint(text: &str, overrides: &[&str]) -> LocatedError {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only names and types matter")]
    struct Top {
        name: Option<String>,
        operator: Option<serde::de::IgnoredAny>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only names and types matter")]
    struct Wide {
        path: String,
        #[serde(default)]
        model: Option<Model>,
        #[serde(default)]
        targets: Vec<String>,
        #[serde(default)]
        bptt: Option<Bptt>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only names and types matter")]
    struct Bptt {
        every: u32,
        window: u32,
    }
    let read = || -> Result<Wide, LocatedError> {
        let root = document(text, overrides)?.root();
        root.read::<Top>()?;
        let mut table = root.subtables("operator")?.remove(0);
        table.take::<String>("type")?;
        table.read()
    };
    read().unwrap_err()
}

#[test]
fn an_error_in_the_file_names_the_whole_path_of_its_setting() {
    for (from, to, expected) in [
        (
            "hidden = 32",
            "hidden = 'abc'",
            "p.toml:7:10: `operator.forecast.model.hidden`: expected a whole number of 0 or more, found the string \"abc\"",
        ),
        ("hidden = 32", "", "p.toml:6:1: `operator.forecast.model`: missing field `hidden`"),
        (
            "path = ",
            "targets = ['a', 5]\npath = ",
            "p.toml:5:17: `operator.forecast.targets[1]`: expected a string, found the number 5",
        ),
        (
            "hidden = 32",
            "hiden = 32",
            "p.toml:7:1: `operator.forecast.model`: unknown field `hiden`, expected `hidden`\n  help: did you mean `hidden`?",
        ),
        ("\"forecast\"", "3", "p.toml:4:8: `operator.forecast.type`: expected a string, found the number 3"),
        ("[operator.forecast]", "[operator]", "p.toml:5:8: `operator.path`: expected a table, found a string"),
    ] {
        assert!(TEXT.contains(from), "{from}");
        assert_eq!(complaint(&TEXT.replacen(from, to, 1), &[]).to_string(), expected);
    }
}

#[test]
fn an_error_from_an_override_names_the_override_and_no_place() {
    for (set, expected) in [
        (
            "forecast.model.hidden=abc",
            "`operator.forecast.model.hidden`: expected a whole number of 0 or more, found the string \"abc\"",
        ),
        (
            "forecast.bptt={every=3,window=-8}",
            "`operator.forecast.bptt.window`: expected a whole number of 0 or more, found the number -8",
        ),
        ("forecast.bptt={every=3}", "`operator.forecast.bptt`: missing field `window`"),
        ("forecast.bptt.every=3", "`operator.forecast.bptt`: missing field `window`"),
        (
            "forecast.bptt={every=3,windw=8}",
            "`operator.forecast.bptt`: unknown field `windw`, expected `every` or `window`\n  help: did you mean `window`?",
        ),
        (
            "forecast.modle.hidden=8",
            "`operator.forecast`: unknown field `modle`, expected one of `path`, `model`, `targets`, `bptt`\n  help: did you mean `model`?",
        ),
        ("forecast.targets=[\"a\", 5]", "`operator.forecast.targets[1]`: expected a string, found the number 5"),
        ("operator=3", "`operator`: expected a table, found a whole number"),
        ("forecast.path.x=3", "`operator.forecast.path.x`: `path` is a string, not a table"),
        (
            "forecast.targets=['${NOPE}']",
            "`operator.forecast.targets`: the environment variable NOPE is not set\n  help: set NOPE, or write $${NOPE} if the text is meant literally",
        ),
    ] {
        let error = complaint(TEXT, &[set]);
        assert_eq!(error.place, None, "{error}");
        assert_eq!(error.to_string(), format!("--set {set}: {expected}"));
    }
}

#[test]
fn of_several_overrides_the_one_in_force_is_named() {
    let sets = ["model.hidden=1", "model.hidden=x", "path=y", "forecast.path=z"];
    assert_eq!(complaint(TEXT, &sets[..2]).file, Path::new("--set model.hidden=x"));
    // Another override leaves the file's own errors where they are.
    let error = complaint(&TEXT.replace("32", "'x'"), &sets[3..]);
    assert_eq!((error.file.as_path(), error.place), (Path::new("p.toml"), Some((7, 10))));
}

#[test]
fn a_component_can_blame_an_override_too() {
    let document = document(TEXT, &["model.hidden=0"]).unwrap();
    let table = forecast(&document);
    let error = table.locate(ConfigError::new("model.hidden", "must not be 0"));
    assert_eq!(error.to_string(), "--set model.hidden=0: `operator.forecast.model.hidden`: must not be 0");
    assert_eq!(table.locate(ConfigError::new("model.rate", "is missing")).place, Some((6, 20)));
}

#[test]
fn a_key_that_stands_twice_is_named() {
    for (text, expected) in [
        ("a = 1\nb.c = 2\nb.c = 3\n", "p.toml:3:3: duplicate key `c`"),
        ("[sink.files]\n[sink.files]\n", "p.toml:2:7: duplicate key `files`"),
        ("a = { b = 1, b = 2 }\n", "p.toml:1:14: duplicate key `b`"),
    ] {
        assert_eq!(document(text, &[]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_path_that_leads_nowhere_is_answered_with_one_that_does() {
    for (set, expected) in [
        (
            "hidden=64",
            "the path `hidden` leads to no setting\n  help: the path must lead to a setting, like --set forecast.model.hidden=64",
        ),
        (
            "forcast.model.hidden=64",
            "the path `forcast.model.hidden` leads to no setting\n  help: the path must lead to a setting, like --set forecast.model.hidden=64",
        ),
        ("forcast.rate=1", "the path `forcast.rate` leads to no setting\n  help: did you mean `forecast`?"),
        ("nam=x", "the path `nam` leads to no setting\n  help: did you mean `name`?"),
        (
            "quux=1",
            "the path `quux` leads to no setting\n  help: a setting that the file does not have needs its whole path, from the name of its component on: --set forecast.quux=1",
        ),
    ] {
        assert_eq!(complaint(TEXT, &[set]).to_string(), format!("--set {set}: {expected}"));
    }
    let twice = format!("{TEXT}[operator.other.model]\nhidden = 1\n");
    let help = complaint(&twice, &["hidden=64"]).help.unwrap();
    assert!(help.ends_with("--set forecast.model.hidden=64 or --set other.model.hidden=64"), "{help}");
    assert!(document("[operator.a]", &["name=x"]).is_ok(), "a top-level setting needs no component");
}
