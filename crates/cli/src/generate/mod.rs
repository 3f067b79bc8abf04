//! `sluice generate`.

mod classes;
mod fan;
mod numbers;
mod out;
mod state;

use std::path::Path;

use sluicegate::model::{ForecastConfig, ModelError, Random, Sequences};
use sluicegate::stream::Node;
use sluicegate::{ComponentKind, Pipeline, Registry};

use crate::args::GenerateArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};

/// The type of the operators that can be generated from.
const FORECAST: &str = "forecast";

/// Samples sequences forward from the newest checkpoint.
pub(crate) fn generate(args: &GenerateArgs, registry: &Registry, console: &mut Console<'_>) -> Result<Ending, Failure> {
    let pipeline = args.pipeline.bind(registry, console)?;
    let path = path_to(&pipeline, operator(&pipeline, args.operator.as_deref())?);
    let Some((operator, inputs)) = path.split_last() else { return Ok(Ending::Done) };
    let config: ForecastConfig = operator.settings.read().map_err(|error| Failure::wrong(&error))?;
    let of_classes = config.model.head.is_of_classes();
    refuse(args, of_classes)?;
    let work = Work { args, config: &config, inputs };
    if of_classes {
        // What cannot be written is refused before the state is looked for.
        let alphabet = classes::Alphabet::of(&work)?;
        let sequences = state::restore(args, &pipeline, registry, &path, &config)?;
        let sequences = sequences.temperature(args.temperature).map_err(|error| wrong(&error))?;
        classes::generate(&work, &alphabet, sequences, console)
    } else {
        let place = numbers::Place::of(&work)?;
        let sequences = state::restore(args, &pipeline, registry, &path, &config)?;
        let sequences = match &place {
            // What no file of sound can hold was never heard either.
            numbers::Place::Sound(..) => sequences.within(-1.0..=1.0).map_err(|error| wrong(&error))?,
            _ => sequences,
        };
        numbers::generate(&work, &place, sequences, console)
    }
}

/// What is to be done.
struct Work<'a> {
    args: &'a GenerateArgs,
    config: &'a ForecastConfig,
    /// From the source to what feeds the operator.
    inputs: &'a [&'a Node],
}

impl Work<'_> {
    fn random(&self) -> Random {
        Random::new(self.args.seed)
    }

    /// Whether a file is to be written whose name ends like this.
    fn writes(&self, extension: &str) -> bool {
        let extension_of = |path: &Path| path.extension().is_some_and(|of| of.eq_ignore_ascii_case(extension));
        self.args.out.as_deref().is_some_and(extension_of)
    }
}

/// The operator that is asked for, or the only one.
fn operator<'a>(pipeline: &'a Pipeline, name: Option<&str>) -> Result<&'a Node, Failure> {
    let is_forecast = |node: &&Node| node.kind == ComponentKind::Operator && node.type_name == FORECAST;
    let all: Vec<&Node> = pipeline.nodes().iter().filter(is_forecast).collect();
    let names = || all.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
    let missing = |message: String| {
        let help = if all.is_empty() { "sequences come from what a forecast has learned".to_owned() } else { names() };
        Failure::wrong_argument(format!("{message}\n  help: {help}"))
    };
    match (name, all.as_slice()) {
        (Some(name), _) => all.iter().find(|node| node.name == name).copied().ok_or_else(|| {
            missing(format!(
                "--operator {name}: the pipeline `{}` has no such operator of type {FORECAST}",
                pipeline.name()
            ))
        }),
        (None, [one]) => Ok(one),
        (None, []) => Err(missing(format!("the pipeline `{}` has no operator of type {FORECAST}", pipeline.name()))),
        (None, [_, ..]) => {
            let message = format!("the pipeline `{}` has several operators of type {FORECAST}", pipeline.name());
            Err(Failure::wrong_argument(format!("{message}\n  help: say which by --operator: {}", names())))
        }
    }
}

/// From the source to the operator.
fn path_to<'a>(pipeline: &'a Pipeline, operator: &'a Node) -> Vec<&'a Node> {
    let mut path = vec![operator];
    let input_of = |node: &Node| pipeline.nodes().iter().find(|other| Some(&other.name) == node.input.as_ref());
    while let Some(input) = path.last().and_then(|node| input_of(node)) {
        path.push(input);
    }
    path.reverse();
    path
}

/// Refuses arguments that would have no effect.
fn refuse(args: &GenerateArgs, of_classes: bool) -> Result<(), Failure> {
    let without = if of_classes {
        [("--paths", args.paths.is_some(), "numbers"), ("--keep-paths", args.keep_paths, "numbers")]
    } else {
        [("--temperature", args.temperature != 1.0, "classes"), ("--stop-at-end", args.stop_at_end, "symbols")]
    };
    match without.iter().find(|(_, given, _)| *given) {
        Some((name, _, what)) => Err(Failure::wrong_argument(format!(
            "{name} is of {what}, and the targets here are none\n  help: leave it out"
        ))),
        None => Ok(()),
    }
}

/// Draws one sequence and gives each event of it to `take`, which says whether to go on.
fn walk(
    sequences: &mut Sequences,
    length: usize,
    random: &mut Random,
    mut take: impl FnMut(sluicegate::model::Step) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    for _ in 0..length {
        if !take(sequences.step(random).map_err(|error| Failure::failed_by(&error))?)? {
            break;
        }
    }
    Ok(())
}

fn wrong(error: &ModelError) -> Failure {
    Failure::wrong(error)
}
