//! A pipeline with every component found, checked and bound.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use sluicegate_checkpoint::{About, CheckpointConfig, CheckpointError, StartFrom, Store};
use sluicegate_core::config::{Document, LocatedError, Override, Table};
use sluicegate_core::{
    ComponentKind, ConfigError, OperatorFactory, PartitionId, PipelineContext, Placement, Registry, Rejected,
    SinkFactory, Source,
};

use crate::spec::DEAD_LETTERS;
use crate::{ComponentSpec, PipelineError, PipelineSpec};

/// A pipeline that is ready to run: every setting is checked, sources are connected, nothing is written yet.
pub struct Pipeline {
    pub(crate) name: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) trees: Vec<Tree>,
    /// The sink that takes dead letters.
    pub(crate) letters: Option<Consumer>,
    pub(crate) checkpoint: Option<CheckpointConfig>,
    pub(crate) base_dir: PathBuf,
}

/// One component of a bound pipeline, for whoever wants to show the graph.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Node {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name in the pipeline.
    pub name: String,
    /// The name of its type.
    pub type_name: String,
    /// The component it takes its rows from; `None` for a source.
    pub input: Option<String>,
    /// The columns that it gives, or that it takes if it is a sink.
    pub columns: SchemaRef,
    /// The partitions whose rows pass it, in the order of the source. Each has its own instance of the component.
    pub partitions: Arc<[PartitionId]>,
    /// Where its instances run; `None` for sources and sinks, which have threads of their own.
    pub placement: Option<Placement>,
    /// Its settings as the file gives them, less `type` and `input`.
    pub settings: Table,
}

/// A source and everything that takes its rows.
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) source: Arc<Mutex<Box<dyn Source>>>,
    pub(crate) partitions: Arc<[PartitionId]>,
    pub(crate) consumers: Arc<[Consumer]>,
}

/// Whatever takes rows, and what follows it.
#[derive(Clone)]
pub(crate) enum Consumer {
    Operator { name: String, factory: Arc<dyn OperatorFactory>, consumers: Arc<[Consumer]> },
    Sink { name: String, factory: Arc<dyn SinkFactory> },
}

/// Every sink that some consumers lead to, by name.
pub(crate) fn sinks_of<'a>(consumers: impl IntoIterator<Item = &'a Consumer>) -> Vec<(&'a str, &'a dyn SinkFactory)> {
    let mut found = Vec::new();
    let mut open: Vec<&Consumer> = consumers.into_iter().collect();
    while let Some(consumer) = open.pop() {
        match consumer {
            Consumer::Operator { consumers, .. } => open.extend(consumers.iter()),
            Consumer::Sink { name, factory } => found.push((name.as_str(), &**factory)),
        }
    }
    found.sort_by_key(|(name, _)| *name);
    found
}

impl Pipeline {
    /// Reads and binds the pipeline file at `path`, with `overrides` in place of what it says.
    ///
    /// # Errors
    /// [`PipelineError`] names the file, line and column where something is wrong.
    pub fn from_file(
        path: impl AsRef<Path>,
        overrides: Vec<Override>,
        registry: &Registry,
    ) -> Result<Self, PipelineError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|source| PipelineError::File { file: path.to_owned(), source })?;
        Self::bind(&PipelineSpec::parse(&Document::parse(path, text, overrides)?)?, registry)
    }

    /// Finds the type of every component, connects the sources and binds everything else to the columns of its input.
    ///
    /// Relative paths in settings start at the folder of the pipeline file.
    ///
    /// # Errors
    /// [`PipelineError`] names the file, line and column of the setting that is wrong.
    pub fn bind(spec: &PipelineSpec, registry: &Registry) -> Result<Self, PipelineError> {
        let base_dir = spec.document.file().parent().unwrap_or(Path::new(""));
        let mut binder = Binder {
            registry,
            context: PipelineContext::new(&spec.name, base_dir),
            nodes: Vec::new(),
            trees: Vec::new(),
            takers: BTreeMap::new(),
            letters: None,
        };
        for component in &spec.components {
            binder.bind(component)?;
        }
        binder.check_live(spec)?;
        binder.check_shards(spec)?;
        Ok(binder.into_pipeline(spec))
    }

    /// The table `[checkpoint]`, if the pipeline has one.
    pub fn checkpoint(&self) -> Option<&CheckpointConfig> {
        self.checkpoint.as_ref()
    }

    /// The folder that relative paths in settings start at.
    pub fn base_dir(&self) -> &Path {
        &self.base_dir
    }

    /// The checkpoints of this pipeline, if it keeps any.
    ///
    /// # Errors
    /// When the place that `[checkpoint]` names cannot be used.
    pub fn store(&self) -> Result<Option<Store>, CheckpointError> {
        let open = |config: &CheckpointConfig| Store::open(config, &self.base_dir, &self.name);
        self.checkpoint.as_ref().map(open).transpose()
    }

    /// Those of the pipeline that partitions begin with, as `start_from` says, if it says so.
    pub(crate) fn start_from(&self) -> Result<Option<(Store, StartFrom)>, CheckpointError> {
        let Some(config) = &self.checkpoint else { return Ok(None) };
        let Some(start) = &config.start_from else { return Ok(None) };
        let place = CheckpointConfig::new(start.path.as_ref().unwrap_or(&config.path));
        Ok(Some((Store::open(&place, &self.base_dir, &start.pipeline)?, start.clone())))
    }

    /// The pipeline's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The components, inputs before whatever takes them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What its checkpoints say of it: its components, and the arithmetic of its operators on this machine.
    pub(crate) fn about(&self) -> About {
        let components = self.nodes.iter().map(|node| (node.name.clone(), node.type_name.clone())).collect();
        let mut arithmetic = BTreeMap::new();
        let mut open: Vec<&Consumer> = self.trees.iter().flat_map(|tree| tree.consumers.iter()).collect();
        while let Some(consumer) = open.pop() {
            if let Consumer::Operator { name, factory, consumers } = consumer {
                arithmetic.extend(factory.arithmetic().map(|id| (name.clone(), id)));
                open.extend(consumers.iter());
            }
        }
        About { pipeline: self.name.clone(), components, arithmetic, version: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// How many shards there are: one for each partition of each source.
    pub fn shards(&self) -> usize {
        self.trees.iter().map(|tree| tree.partitions.len()).sum()
    }
}

struct Binder<'a> {
    registry: &'a Registry,
    context: PipelineContext,
    nodes: Vec<Node>,
    /// Still without their consumers.
    trees: Vec<Tree>,
    /// By the name of the input.
    takers: BTreeMap<String, Vec<Taker>>,
    letters: Option<Consumer>,
}

/// A consumer that does not know yet what follows it.
enum Taker {
    Operator(String, Arc<dyn OperatorFactory>),
    Sink(String, Arc<dyn SinkFactory>),
}

impl Binder<'_> {
    /// Binds a component whose input is bound already.
    fn bind(&mut self, spec: &ComponentSpec) -> Result<(), PipelineError> {
        let Some(input) = &spec.input else { return self.bind_source(spec) };
        if input == DEAD_LETTERS {
            return self.bind_letters(spec);
        }
        let Some((columns, partitions)) = self
            .nodes
            .iter()
            .find(|node| node.name == *input)
            .map(|node| (node.columns.clone(), node.partitions.clone()))
        else {
            let error = ConfigError::new("input", format!("`{input}` must come before `{}`", spec.name));
            return Err(spec.settings.locate(error).into());
        };
        let (registry, table, context) = (self.registry, &spec.settings, &self.context.for_component(&spec.name));
        let (taker, columns, placement) = match spec.kind {
            ComponentKind::Source | ComponentKind::Operator => {
                let factory: Arc<dyn OperatorFactory> =
                    registry.make_operator(&spec.type_name, table, &columns, context)?.into();
                let (columns, placement) = (factory.output_schema(), factory.placement());
                (Taker::Operator(spec.name.clone(), factory), columns, Some(placement))
            }
            ComponentKind::Sink => {
                let factory = registry.make_sink(&spec.type_name, table, &columns, context)?.into();
                (Taker::Sink(spec.name.clone(), factory), columns, None)
            }
        };
        self.takers.entry(input.clone()).or_default().push(taker);
        self.nodes.push(Node::new(spec, columns, partitions, placement));
        Ok(())
    }

    fn bind_letters(&mut self, spec: &ComponentSpec) -> Result<(), PipelineError> {
        let (context, columns) = (self.context.for_component(&spec.name), Rejected::schema());
        let factory = self.registry.make_sink(&spec.type_name, &spec.settings, &columns, &context)?.into();
        self.letters = Some(Consumer::Sink { name: spec.name.clone(), factory });
        let partitions: Vec<PartitionId> = self.trees.iter().flat_map(|tree| tree.partitions.iter().cloned()).collect();
        self.nodes.push(Node::new(spec, columns, partitions.into(), None));
        Ok(())
    }

    /// A pipeline without end that has operators has to keep their state.
    fn check_live(&self, spec: &PipelineSpec) -> Result<(), PipelineError> {
        let has_operators = self.nodes.iter().any(|node| node.kind == ComponentKind::Operator);
        if spec.checkpoint.is_some() || !has_operators {
            return Ok(());
        }
        for tree in &self.trees {
            if !tree.source.lock().unwrap_or_else(PoisonError::into_inner).is_live() {
                continue;
            }
            if let Some(source) = spec.components.iter().find(|component| component.name == tree.name) {
                let message = "the source has no end, but the state of the operators is kept nowhere";
                let help = "say where: [checkpoint] with path = \"../checkpoints\", for example";
                return Err(source.settings.locate(ConfigError::new("", message).help(help)).into());
            }
        }
        Ok(())
    }

    /// What is committed goes by the name of the partition, so no two sources may have partitions of one name.
    fn check_shards(&self, spec: &PipelineSpec) -> Result<(), PipelineError> {
        let is_live = |tree: &Tree| tree.source.lock().unwrap_or_else(PoisonError::into_inner).is_live();
        if spec.checkpoint.is_none() && !self.trees.iter().any(is_live) {
            return Ok(());
        }
        let mut seen: BTreeMap<&PartitionId, &str> = BTreeMap::new();
        for tree in &self.trees {
            for partition in tree.partitions.iter() {
                let Some(other) = seen.insert(partition, &tree.name) else { continue };
                let Some(source) = spec.components.iter().find(|component| component.name == tree.name) else {
                    continue;
                };
                let message = format!(
                    "source `{other}` has a partition called `{partition}` too, and what is committed and learned goes by that name"
                );
                let help = "give one of them another name, or read them by two pipelines";
                return Err(source.settings.locate(ConfigError::new("", message).help(help)).into());
            }
        }
        Ok(())
    }

    fn bind_source(&mut self, spec: &ComponentSpec) -> Result<(), PipelineError> {
        let mut source =
            self.registry.make_source(&spec.type_name, &spec.settings, &self.context.for_component(&spec.name))?;
        let partitions: Arc<[PartitionId]> = match source.partitions() {
            Ok(partitions) => partitions.into(),
            Err(source) => {
                let error = ConfigError::new("", "its partitions cannot be listed");
                return Err(PipelineError::Partitions { place: Box::new(spec.settings.locate(error)), source });
            }
        };
        if !source.is_live() {
            check_partitions(spec, &partitions)?;
        }
        self.nodes.push(Node::new(spec, source.schema(), partitions.clone(), None));
        let source = Arc::new(Mutex::new(source));
        self.trees.push(Tree { name: spec.name.clone(), source, partitions, consumers: Arc::default() });
        Ok(())
    }

    fn into_pipeline(mut self, spec: &PipelineSpec) -> Pipeline {
        let mut trees = std::mem::take(&mut self.trees);
        for tree in &mut trees {
            tree.consumers = self.consumers_of(&tree.name);
        }
        Pipeline {
            name: spec.name.clone(),
            nodes: self.nodes,
            trees,
            letters: self.letters,
            checkpoint: spec.checkpoint.clone(),
            base_dir: self.context.base_dir,
        }
    }

    fn consumers_of(&mut self, name: &str) -> Arc<[Consumer]> {
        let takers = self.takers.remove(name).unwrap_or_default();
        let consumer = |taker| match taker {
            Taker::Operator(name, factory) => {
                let consumers = self.consumers_of(&name);
                Consumer::Operator { name, factory, consumers }
            }
            Taker::Sink(name, factory) => Consumer::Sink { name, factory },
        };
        takers.into_iter().map(consumer).collect()
    }
}

impl Node {
    fn new(
        spec: &ComponentSpec,
        columns: SchemaRef,
        partitions: Arc<[PartitionId]>,
        placement: Option<Placement>,
    ) -> Self {
        Self {
            kind: spec.kind,
            name: spec.name.clone(),
            type_name: spec.type_name.clone(),
            input: spec.input.clone(),
            columns,
            partitions,
            placement,
            settings: spec.settings.clone(),
        }
    }
}

/// A shard is known by its partition's name, so there must be one, and no two alike.
fn check_partitions(spec: &ComponentSpec, partitions: &[PartitionId]) -> Result<(), LocatedError> {
    if partitions.is_empty() {
        let error = ConfigError::new("", "there is nothing to read: the source has no partition");
        return Err(spec.settings.locate(error));
    }
    let mut names: Vec<&PartitionId> = partitions.iter().collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let error = ConfigError::new("", format!("two of its partitions are called `{}`", pair[0]));
            Err(spec.settings.locate(error.help("give each a name of its own")))
        }
    }
}
