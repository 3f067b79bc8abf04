//! What is refused in a pipeline file, and with which words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use sluicegate_core::config::Document;
use sluicegate_stream::PipelineSpec;

mod common;

fn parse(text: &str) -> Result<PipelineSpec, String> {
    let document = Document::parse("p.toml", text, Vec::new()).map_err(|error| error.to_string())?;
    PipelineSpec::parse(&document).map_err(|error| error.to_string())
}

fn refusal(text: &str) -> String {
    parse(text).expect_err("should be refused")
}

#[test]
fn components_come_after_their_inputs() {
    let spec = parse(
        r#"
name = "p"
sink.z = { type = "t", input = "a" }
operator.a = { type = "t", input = "b" }
operator.b = { type = "t", input = "c" }
operator.c = { type = "t", input = "s" }
source.s.type = "t"
"#,
    )
    .unwrap();
    let names: Vec<_> = spec.components().iter().map(|component| component.name.as_str()).collect();
    assert_eq!(names, ["s", "c", "b", "a", "z"]);
}

#[test]
fn an_unknown_top_level_key_is_refused_with_the_nearest() {
    let text = "name = \"p\"\nsources.a.type = \"t\"\nsink.b = { type = \"t\", input = \"a\" }\n";
    let message = refusal(text);
    assert!(message.starts_with("p.toml:2:1: unknown field `sources`"), "{message}");
    assert!(message.ends_with("help: did you mean `source`?"), "{message}");
}

#[test]
fn a_pipeline_needs_a_sane_name() {
    assert_eq!(
        refusal("source.a.type = \"t\"\n"),
        "p.toml: `name`: the pipeline has no name\n  help: begin the file with a line such as name = \"power\""
    );
    let message = refusal("name = \"a/b\"\n");
    assert!(message.starts_with("p.toml:1:1: `name`: `a/b` cannot be a name"), "{message}");
}

#[test]
fn two_components_of_one_name_are_refused_naming_both_places() {
    let text = "name = \"p\"\n[source.a]\ntype = \"t\"\n[sink.a]\ntype = \"t\"\ninput = \"a\"\n";
    assert_eq!(
        refusal(text),
        "p.toml:4:7: `sink.a`: the name `a` is taken already, by `source.a (2:9)`\n  \
         help: names are shared by all sections; rename one of the two"
    );
}

#[test]
fn an_input_that_does_not_exist_is_refused_with_the_nearest() {
    let text = "name = \"p\"\nsource.history.type = \"t\"\n[sink.out]\ntype = \"t\"\ninput = \"histroy\"\n";
    assert_eq!(
        refusal(text),
        "p.toml:5:1: `sink.out.input`: there is no source or operator called `histroy`\n  \
         help: did you mean `history`?"
    );
}

#[test]
fn a_sink_is_no_input() {
    let text = "name = \"p\"\nsource.s.type = \"t\"\nsink.a = { type = \"t\", input = \"s\" }\n\
                sink.b = { type = \"t\", input = \"a\" }\n";
    assert!(refusal(text).contains("`a` is a sink; a sink gives no rows"));
}

#[test]
fn a_circle_is_refused_with_its_members() {
    let text = "name = \"p\"\nsource.s.type = \"t\"\noperator.a = { type = \"t\", input = \"b\" }\n\
                operator.b = { type = \"t\", input = \"a\" }\nsink.k = { type = \"t\", input = \"s\" }\n";
    let message = refusal(text);
    assert!(message.contains("these feed each other in a circle: a → b → a"), "{message}");
}

#[test]
fn rows_that_nobody_takes_are_refused() {
    let text = "name = \"p\"\nsource.s.type = \"t\"\noperator.a = { type = \"t\", input = \"s\" }\n\
                sink.k = { type = \"t\", input = \"s\" }\n";
    assert_eq!(
        refusal(text),
        "p.toml:3:10: `operator.a`: nobody takes the rows of operator `a`\n  \
         help: give a sink or an operator the line input = \"a\", or remove `a`"
    );
}

#[test]
fn a_pipeline_needs_a_source_and_a_sink() {
    assert!(refusal("name = \"p\"\nsource.s.type = \"t\"\n").contains("the pipeline has no sink"));
    assert!(refusal("name = \"p\"\n").contains("the pipeline has no source"));
}

#[test]
fn a_component_needs_a_type_and_an_input() {
    assert!(refusal("name = \"p\"\n[source.s]\n").contains("source `s` has no `type`"));
    assert!(refusal("name = \"p\"\nsource.s.type = \"t\"\nsink.k.type = \"t\"\n").contains("sink `k` has no `input`"));
}

/// Two shards of one name would share checkpoints, a ledger and a producer, and fence each other.
#[test]
fn two_sources_with_partitions_of_one_name_are_refused_where_something_is_committed() {
    let (_, probe) = common::probe();
    let text = "name = \"p\"\n\
                source.a = { type = \"count\", PROBE, partitions = 1, batches = [] }\n\
                source.b = { type = \"count\", PROBE, partitions = 2, batches = [] }\n\
                sink.k = { type = \"keep\", input = \"a\", PROBE }\n\
                sink.l = { type = \"keep\", input = \"b\", PROBE }\n";
    assert!(common::bind(text, &probe).is_ok());
    let refused = common::bind(&format!("{text}[checkpoint]\npath = \"checkpoints\"\n"), &probe).err().unwrap();
    let refused = refused.to_string();
    assert!(refused.starts_with("p.toml:3:8: `source.b`: source `a` has a partition called `p0` too"), "{refused}");
}

#[test]
fn what_goes_wrong_while_binding_has_a_place() {
    let (_, probe) = common::probe();
    let refused = |text: &str| match common::bind(text, &probe) {
        Ok(_) => panic!("should be refused"),
        Err(error) => error.to_string(),
    };
    let text = "name = \"p\"\nsource.s = { type = \"count\", PROBE, partitions = 0, batches = [] }\n\
                sink.k = { type = \"keep\", input = \"s\", PROBE }\n";
    assert_eq!(refused(text), "p.toml:2:8: `source.s`: there is nothing to read: the source has no partition");
    let message = refused(&text.replace("partitions = 0", "partitons = 1"));
    assert!(message.contains("did you mean `partitions`?"), "{message}");
    let message = refused(&text.replace("partitions = 0", "partitions = 1").replace("\"keep\"", "\"kept\""));
    assert!(message.starts_with("p.toml:3:12: `sink.k.type`: there is no sink type `kept`"), "{message}");
    let message = refused(&text.replace("partitions = 0", "partitions = 1, unlistable = true"));
    assert_eq!(message, "p.toml:2:8: `source.s`: its partitions cannot be listed");
}
