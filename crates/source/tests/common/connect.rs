//! A source made from a pipeline file's text, for the tests of all sources of files.

use std::path::Path;

use sluicegate_core::config::Document;
use sluicegate_core::{PipelineContext, Registry, Source};

/// The source of this type and these settings, relative to a folder, or the located error. `register` makes its type known.
pub(crate) fn connect(
    of: &str,
    folder: &Path,
    settings: &str,
    register: impl FnOnce(&mut Registry),
) -> Result<Box<dyn Source>, String> {
    let mut registry = Registry::new();
    register(&mut registry);
    let document = Document::parse("p.toml", format!("[source.s]\n{settings}"), Vec::new()).unwrap();
    let table = document.root().subtables("source").unwrap().remove(0);
    let context = PipelineContext::new("my pipeline", folder).for_component("s");
    registry.make_source(of, &table, &context).map_err(|error| error.to_string())
}
