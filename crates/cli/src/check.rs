//! `sluice check`.

use sluicegate::stream::Node;
use sluicegate::{ComponentKind, Pipeline, Registry, Roles};

use crate::args::CheckArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::layout::{counted, wrapped};

/// Where the right-hand side of a line begins.
const INDENT: usize = 14;
/// So many partitions are named; the rest are counted.
const PARTITIONS_NAMED_MAX: usize = 8;

/// Binds a pipeline and prints its graph.
pub(crate) fn check(args: &CheckArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let pipeline = args.pipeline.bind(registry, console)?;
    console.out(format_args!("{}", graph(&pipeline)))?;
    Ok(Ending::Done)
}

fn graph(pipeline: &Pipeline) -> String {
    let count = |kind: ComponentKind| {
        let number = pipeline.nodes().iter().filter(|node| node.kind == kind).count();
        counted(number as u64, kind.as_str())
    };
    let mut text = format!(
        "{}: {}, {}, {}; nothing is wrong with it\n",
        pipeline.name(),
        count(ComponentKind::Source),
        count(ComponentKind::Operator),
        count(ComponentKind::Sink),
    );
    for node in pipeline.nodes() {
        text.push('\n');
        text.push_str(&component(node));
    }
    text
}

fn component(node: &Node) -> String {
    let mut text = format!("{} {} (type {})", node.kind, node.name, node.type_name);
    if let Some(input) = &node.input {
        text.push_str(&format!(" ← {input}"));
    }
    text.push('\n');
    match node.kind {
        ComponentKind::Source => text.push_str(&partitions(node)),
        ComponentKind::Operator => text.push_str(&instances(node)),
        ComponentKind::Sink => {}
    }
    // A sink's columns are those of its input, which stand above.
    if node.kind != ComponentKind::Sink {
        text.push_str(&columns(node));
    }
    text
}

fn partitions(node: &Node) -> String {
    let all = &node.partitions;
    let mut names: Vec<String> = all.iter().take(PARTITIONS_NAMED_MAX).map(|name| name.to_string()).collect();
    if all.len() > names.len() {
        names.push(format!("… ({} in all)", all.len()));
    }
    wrapped("  partitions", INDENT, names)
}

/// How many times an operator is there: what it learns on one partition, it doesn't know on another.
fn instances(node: &Node) -> String {
    let text = match node.partitions.len() {
        1 => "1: there is one partition; each partition has its own".to_owned(),
        count => format!("{count}: one per partition; none sees the events of another"),
    };
    format!("{:<INDENT$}{text}\n", "  instances")
}

fn columns(node: &Node) -> String {
    let roles = Roles::of(&node.columns);
    let is = |role: &Option<String>, name: &str| role.as_deref() == Some(name);
    let column = |name: &String, data_type: String| {
        let role = match () {
            () if is(&roles.time, name) => " (time)",
            () if is(&roles.key, name) => " (key)",
            () => "",
        };
        format!("{name}: {data_type}{role}")
    };
    let columns = node.columns.fields().iter().map(|field| column(field.name(), field.data_type().to_string()));
    wrapped("  columns", INDENT, columns)
}
