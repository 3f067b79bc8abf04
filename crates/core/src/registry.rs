//! Which component types there are, by name.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::config::{LocatedError, Table, nearest};
use crate::operator::OperatorFactory;
use crate::{ConfigError, OperatorConfig, PipelineContext, SinkConfig, SinkFactory, Source, SourceConfig};

/// The three kinds of component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentKind {
    /// Brings events in.
    Source,
    /// Works on them.
    Operator,
    /// Takes them out.
    Sink,
}

impl ComponentKind {
    /// The name of the section of a pipeline file: `source`, `operator` or `sink`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Operator => "operator",
            Self::Sink => "sink",
        }
    }
}

impl std::fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one registered type is called and how its settings look.
#[derive(Debug, Clone)]
pub struct ComponentInfo {
    /// What it can be used as.
    pub kind: ComponentKind,
    /// The name for `type = "…"`.
    pub name: String,
    /// The Rust type of its settings.
    pub settings: &'static str,
    /// The JSON schema of its settings, with their documentation.
    pub schema: Schema,
}

/// A component type cannot be registered.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name is taken.
    #[error("two {kind} types are called `{name}`: {first} and {second}; register one of them under another name")]
    Duplicate {
        /// What both are.
        kind: ComponentKind,
        /// The name.
        name: String,
        /// Settings type of the one that was there.
        first: &'static str,
        /// Settings type of the one that was to be added.
        second: &'static str,
    },
}

type MakeSource = fn(&Table, &PipelineContext) -> Result<Box<dyn Source>, LocatedError>;
type MakeOperator = fn(&Table, &SchemaRef, &PipelineContext) -> Result<Box<dyn OperatorFactory>, LocatedError>;
type MakeSink = fn(&Table, &SchemaRef, &PipelineContext) -> Result<Box<dyn SinkFactory>, LocatedError>;

struct Entry<F> {
    make: F,
    settings: &'static str,
    schema: fn() -> Schema,
}

/// The component types that a pipeline file may name. An explicit value: there is no global registry.
///
/// ```
/// use sluicegate_core::Registry;
/// let registry = Registry::new();
/// assert!(registry.components().is_empty());
/// ```
#[derive(Default)]
pub struct Registry {
    sources: BTreeMap<String, Entry<MakeSource>>,
    operators: BTreeMap<String, Entry<MakeOperator>>,
    sinks: BTreeMap<String, Entry<MakeSink>>,
}

impl Registry {
    /// A registry that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source type under `name`.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] when another source type has the name.
    pub fn source<C: SourceConfig>(&mut self, name: &str) -> Result<(), RegistryError> {
        let make: MakeSource = |table, pipeline| {
            let config: C = table.read()?;
            config.connect(pipeline).map_err(|error| table.locate(error))
        };
        insert::<C, _>(&mut self.sources, ComponentKind::Source, name, make)
    }

    /// Adds an operator type under `name`.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] when another operator type has the name.
    pub fn operator<C: OperatorConfig>(&mut self, name: &str) -> Result<(), RegistryError> {
        let make: MakeOperator = |table, input, pipeline| {
            let config: C = table.read()?;
            config.bind(input, pipeline).map_err(|error| table.locate(error))
        };
        insert::<C, _>(&mut self.operators, ComponentKind::Operator, name, make)
    }

    /// Adds a sink type under `name`.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`] when another sink type has the name.
    pub fn sink<C: SinkConfig>(&mut self, name: &str) -> Result<(), RegistryError> {
        let make: MakeSink = |table, input, pipeline| {
            let config: C = table.read()?;
            config.bind(input, pipeline).map_err(|error| table.locate(error))
        };
        insert::<C, _>(&mut self.sinks, ComponentKind::Sink, name, make)
    }

    /// Every registered type, by kind and name.
    pub fn components(&self) -> Vec<ComponentInfo> {
        let mut all = Vec::new();
        describe(&self.sources, ComponentKind::Source, &mut all);
        describe(&self.operators, ComponentKind::Operator, &mut all);
        describe(&self.sinks, ComponentKind::Sink, &mut all);
        all
    }

    /// Connects the source that `table` describes, of type `name`.
    ///
    /// # Errors
    /// When there is no such type, or its settings are wrong.
    pub fn make_source(
        &self,
        name: &str,
        table: &Table,
        pipeline: &PipelineContext,
    ) -> Result<Box<dyn Source>, LocatedError> {
        (find(&self.sources, ComponentKind::Source, name, table)?.make)(table, pipeline)
    }

    /// Binds the operator that `table` describes, of type `name`, to the columns of its input.
    ///
    /// # Errors
    /// When there is no such type, or its settings are wrong or do not fit the columns.
    pub fn make_operator(
        &self,
        name: &str,
        table: &Table,
        input: &SchemaRef,
        pipeline: &PipelineContext,
    ) -> Result<Box<dyn OperatorFactory>, LocatedError> {
        (find(&self.operators, ComponentKind::Operator, name, table)?.make)(table, input, pipeline)
    }

    /// Binds the sink that `table` describes, of type `name`, to the columns of its input.
    ///
    /// # Errors
    /// When there is no such type, or its settings are wrong or do not fit the columns.
    pub fn make_sink(
        &self,
        name: &str,
        table: &Table,
        input: &SchemaRef,
        pipeline: &PipelineContext,
    ) -> Result<Box<dyn SinkFactory>, LocatedError> {
        (find(&self.sinks, ComponentKind::Sink, name, table)?.make)(table, input, pipeline)
    }
}

fn insert<C: JsonSchema, F>(
    entries: &mut BTreeMap<String, Entry<F>>,
    kind: ComponentKind,
    name: &str,
    make: F,
) -> Result<(), RegistryError> {
    let settings = std::any::type_name::<C>();
    if let Some(first) = entries.get(name) {
        return Err(RegistryError::Duplicate { kind, name: name.to_owned(), first: first.settings, second: settings });
    }
    let schema = || SchemaGenerator::default().into_root_schema_for::<C>();
    entries.insert(name.to_owned(), Entry { make, settings, schema });
    Ok(())
}

fn describe<F>(entries: &BTreeMap<String, Entry<F>>, kind: ComponentKind, all: &mut Vec<ComponentInfo>) {
    all.extend(entries.iter().map(|(name, entry)| ComponentInfo {
        kind,
        name: name.clone(),
        settings: entry.settings,
        schema: (entry.schema)(),
    }));
}

fn find<'a, F>(
    entries: &'a BTreeMap<String, Entry<F>>,
    kind: ComponentKind,
    name: &str,
    table: &Table,
) -> Result<&'a Entry<F>, LocatedError> {
    entries.get(name).ok_or_else(|| {
        let names = || entries.keys().map(String::as_str);
        let error = ConfigError::new("type", format!("there is no {kind} type `{name}`"));
        table.locate(match nearest(name, names()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("known: {}", names().collect::<Vec<_>>().join(", "))),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    impl SourceConfig for Nothing {
        fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
            Err(ConfigError::new("", "nothing to read"))
        }
    }

    #[test]
    fn a_second_type_of_the_same_name_is_refused_with_both_sides() {
        let mut registry = Registry::new();
        registry.source::<Nothing>("file").unwrap();
        let error = registry.source::<Nothing>("file").unwrap_err().to_string();
        assert!(error.contains("`file`") && error.matches("Nothing").count() == 2, "{error}");
    }
}
