//! A pipeline file as it is written: named components and what each takes its rows from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluicegate_checkpoint::CheckpointConfig;
use sluicegate_core::config::{Document, LocatedError, Table, nearest};
use sluicegate_core::{ComponentKind, ConfigError};

/// Longest name of a pipeline or component, in characters: names become parts of file names and of metric labels.
const NAME_CHARS_MAX: usize = 64;

/// The graph of a pipeline file, checked as far as that goes without knowing any component type.
///
/// A graph is a set of trees, one per source: every operator and sink has exactly one input, and any source or operator may
/// feed several. What a source or operator gives must be taken by somebody; output that nobody takes is most often an `input`
/// that names the wrong component.
///
/// ```
/// use sluicegate_core::config::Document;
/// use sluicegate_stream::PipelineSpec;
///
/// let text = r#"
/// name = "copy"
/// source.a = { type = "parquet", path = "a.parquet" }
/// sink.b = { type = "console", input = "aa" }
/// "#;
/// let error = PipelineSpec::parse(&Document::parse("copy.toml", text, Vec::new())?).unwrap_err();
/// assert_eq!(error.help.as_deref(), Some("did you mean `a`?"));
/// # Ok::<(), sluicegate_core::config::LocatedError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PipelineSpec {
    /// The pipeline's name.
    pub(crate) name: String,
    pub(crate) document: Document,
    /// Inputs before whatever takes them: sources, operators, sinks; each by name where nothing else orders them.
    pub(crate) components: Vec<ComponentSpec>,
    pub(crate) checkpoint: Option<CheckpointConfig>,
}

/// What a sink takes that has no other input: the records that sources and operators rejected.
pub(crate) const DEAD_LETTERS: &str = "dead-letters";

/// One component as the file describes it.
#[derive(Debug, Clone)]
pub struct ComponentSpec {
    /// The section it stands in.
    pub kind: ComponentKind,
    /// Its name in the pipeline.
    pub name: String,
    /// The name of its type.
    pub type_name: String,
    /// The component it takes its rows from; `None` for a source.
    pub input: Option<String>,
    /// Its settings, less `type` and `input`.
    pub settings: Table,
}

/// The keys that a pipeline file may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only the names of the fields matter")]
struct TopLevel {
    name: Option<IgnoredAny>,
    source: Option<IgnoredAny>,
    operator: Option<IgnoredAny>,
    sink: Option<IgnoredAny>,
    checkpoint: Option<IgnoredAny>,
}

impl PipelineSpec {
    /// Reads the graph out of a pipeline file.
    ///
    /// # Errors
    /// With the place in the file: an unknown top-level key, a name that is missing, malformed or given twice, a component
    /// without `type` or `input`, an input that does not exist, a cycle, output that nobody takes, no source or no sink.
    pub fn parse(document: &Document) -> Result<Self, LocatedError> {
        let mut root = document.root();
        root.read::<TopLevel>()?;
        let name = root.take::<String>("name")?.ok_or_else(|| {
            let missing = ConfigError::new("name", "the pipeline has no name");
            root.locate(missing.help("begin the file with a line such as name = \"power\""))
        })?;
        check_name(&root, "name", &name)?;
        let checkpoint: Option<CheckpointConfig> = root.take("checkpoint")?;
        if let Some(config) = &checkpoint {
            config.check().map_err(|error| root.locate(error.within("checkpoint")))?;
        }

        let mut components = Vec::new();
        for kind in [ComponentKind::Source, ComponentKind::Operator, ComponentKind::Sink] {
            for table in root.subtables(kind.as_str())? {
                components.push(ComponentSpec::read(kind, table)?);
            }
        }
        refuse_equal_names(&components)?;
        refuse_empty_sections(&root, &components)?;
        let mut spec = Self { name, document: document.clone(), components, checkpoint };
        spec.check_inputs()?;
        spec.order()?;
        spec.refuse_unused_output()?;
        Ok(spec)
    }

    /// The pipeline's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table `[checkpoint]`, if the file has one.
    pub fn checkpoint(&self) -> Option<&CheckpointConfig> {
        self.checkpoint.as_ref()
    }

    /// The components, inputs before whatever takes them.
    pub fn components(&self) -> &[ComponentSpec] {
        &self.components
    }

    fn check_inputs(&self) -> Result<(), LocatedError> {
        let gives: BTreeSet<&str> =
            self.components.iter().filter(|c| c.kind != ComponentKind::Sink).map(|c| c.name.as_str()).collect();
        for component in &self.components {
            let Some(input) = component.input.as_deref().filter(|input| !gives.contains(input)) else { continue };
            if input == DEAD_LETTERS {
                self.check_dead_letters(component)?;
                continue;
            }
            let is_sink = self.components.iter().any(|other| other.name == input);
            let error = if is_sink {
                ConfigError::new("input", format!("`{input}` is a sink; a sink gives no rows to go on with"))
            } else {
                ConfigError::new("input", format!("there is no source or operator called `{input}`"))
            };
            return Err(component.settings.locate(match nearest(input, gives.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(known(&gives)),
            }));
        }
        Ok(())
    }

    /// Dead letters go to one sink.
    fn check_dead_letters(&self, component: &ComponentSpec) -> Result<(), LocatedError> {
        if component.kind != ComponentKind::Sink {
            let error = ConfigError::new("input", "dead letters go to a sink, not through an operator");
            return Err(component.settings.locate(error));
        }
        let takes = |other: &&ComponentSpec| other.input.as_deref() == Some(DEAD_LETTERS);
        match self.components.iter().find(takes).filter(|first| first.name != component.name) {
            None => Ok(()),
            Some(first) => {
                let error = ConfigError::new("input", format!("`{}` takes the dead letters already", first.name));
                Err(component.settings.locate(error.help("let one sink take them")))
            }
        }
    }

    /// Sorts operators so that each comes after its input.
    fn order(&mut self) -> Result<(), LocatedError> {
        let inputs: BTreeMap<&str, &str> =
            self.components.iter().filter_map(|c| Some((c.name.as_str(), c.input.as_deref()?))).collect();
        let mut depths = BTreeMap::new();
        for component in &self.components {
            let mut path = vec![component.name.as_str()];
            while let Some(input) = path.last().and_then(|name| inputs.get(name)) {
                if let Some(start) = path.iter().position(|name| name == input) {
                    path.push(input);
                    let cycle = path[start..].iter().rev().copied().collect::<Vec<_>>().join(" → ");
                    let error = ConfigError::new("input", format!("these feed each other in a circle: {cycle}"));
                    let by_name = self.components.iter().find(|c| c.name == *input).unwrap_or(component);
                    return Err(by_name.settings.locate(error.help("one of them must begin at a source")));
                }
                path.push(input);
            }
            depths.insert(component.name.clone(), path.len());
        }
        self.components.sort_by_key(|c| (c.kind, depths.get(&c.name).copied()));
        Ok(())
    }

    fn refuse_unused_output(&self) -> Result<(), LocatedError> {
        let taken: BTreeSet<&str> = self.components.iter().filter_map(|c| c.input.as_deref()).collect();
        let unused = |c: &&ComponentSpec| c.kind != ComponentKind::Sink && !taken.contains(c.name.as_str());
        match self.components.iter().find(unused) {
            None => Ok(()),
            Some(component) => {
                let name = &component.name;
                let error = ConfigError::new("", format!("nobody takes the rows of {} `{name}`", component.kind));
                let help = format!("give a sink or an operator the line input = \"{name}\", or remove `{name}`");
                Err(component.settings.locate(error.help(help)))
            }
        }
    }
}

impl ComponentSpec {
    fn read(kind: ComponentKind, mut table: Table) -> Result<Self, LocatedError> {
        let name = table.name().to_owned();
        check_name(&table, "", &name)?;
        let type_name = table.take::<String>("type")?.ok_or_else(|| {
            let missing = ConfigError::new("", format!("{kind} `{name}` has no `type`"));
            table.locate(missing.help("say which component it is, such as type = \"parquet\""))
        })?;
        let input = match kind {
            ComponentKind::Source => None,
            ComponentKind::Operator | ComponentKind::Sink => Some(table.take::<String>("input")?.ok_or_else(|| {
                let missing = ConfigError::new("", format!("{kind} `{name}` has no `input`"));
                table.locate(missing.help("say whose rows it takes: input = \"NAME OF A SOURCE OR OPERATOR\""))
            })?),
        };
        Ok(Self { kind, name, type_name, input, settings: table })
    }
}

fn check_name(table: &Table, key: &str, name: &str) -> Result<(), LocatedError> {
    if name == DEAD_LETTERS {
        let error =
            ConfigError::new(key, format!("`{name}` is what rejected records are called, and cannot be a name"));
        return Err(table.locate(error));
    }
    let sane = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.chars().all(sane) && name.len() <= NAME_CHARS_MAX {
        return Ok(());
    }
    let error = ConfigError::new(key, format!("`{name}` cannot be a name"));
    Err(table.locate(
        error.help(format!(
            "use 1 to {NAME_CHARS_MAX} of the characters A-Z a-z 0-9 _ - and begin with a letter or digit"
        )),
    ))
}

fn refuse_equal_names(components: &[ComponentSpec]) -> Result<(), LocatedError> {
    let mut first_of: BTreeMap<&str, &ComponentSpec> = BTreeMap::new();
    for component in components {
        if let Some(first) = first_of.insert(&component.name, component) {
            let name = &component.name;
            let at = match first.settings.locate(ConfigError::new("", "")).place {
                Some((line, column)) => format!("{} ({line}:{column})", first.settings.path()),
                None => first.settings.path(),
            };
            let error = ConfigError::new("", format!("the name `{name}` is taken already, by `{at}`"));
            return Err(component
                .settings
                .locate(error.help("names are shared by all sections; rename one of the two")));
        }
    }
    Ok(())
}

fn refuse_empty_sections(root: &Table, components: &[ComponentSpec]) -> Result<(), LocatedError> {
    for (kind, example) in [(ComponentKind::Source, "[source.NAME]"), (ComponentKind::Sink, "[sink.NAME]")] {
        if !components.iter().any(|component| component.kind == kind) {
            let error = ConfigError::new(kind.as_str(), format!("the pipeline has no {kind}"));
            return Err(root.locate(error.help(format!("add a table {example} with a `type`"))));
        }
    }
    Ok(())
}

fn known(names: &BTreeSet<&str>) -> String {
    format!("known: {}", names.iter().copied().collect::<Vec<_>>().join(", "))
}
