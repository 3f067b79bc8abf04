//! By what processes know that they run the same pipeline.

use sluicegate_core::ComponentKind;

use crate::Pipeline;
use crate::pipeline::{Consumer, Tree};

/// Half as many bytes of the hash, in hexadecimal digits: enough to tell pipelines of one name apart, short enough to read out.
const DIGITS: usize = 12;

impl Pipeline {
    /// What processes must have in common that share partitions out: a short hash of the components (names, types and inputs)
    /// and of what each of them says of itself, such as topics, targets and the size of a network. Rates, bounds, addresses and
    /// where logs go have no part in it, so that processes with other ones may take over from each other.
    pub fn fingerprint(&self) -> String {
        let mut lines: Vec<String> = self
            .nodes
            .iter()
            .map(|node| {
                let input = node.input.as_deref().unwrap_or("");
                line(node.kind, &node.name, &[&node.type_name, input])
            })
            .collect();
        for Tree { name, source, consumers, .. } in &self.trees {
            let identity = source.lock().unwrap_or_else(std::sync::PoisonError::into_inner).identity();
            lines.extend(identity.map(|identity| line(ComponentKind::Source, name, &[&identity])));
            consumers.iter().for_each(|consumer| identities(consumer, &mut lines));
        }
        self.letters.iter().for_each(|letters| identities(letters, &mut lines));
        // In whatever order the file names them.
        lines.sort();
        blake3::hash(lines.join("\n").as_bytes()).to_hex()[..DIGITS].to_owned()
    }
}

fn identities(consumer: &Consumer, lines: &mut Vec<String>) {
    match consumer {
        Consumer::Operator { name, factory, consumers } => {
            lines.extend(factory.identity().map(|identity| line(ComponentKind::Operator, name, &[&identity])));
            consumers.iter().for_each(|consumer| identities(consumer, lines));
        }
        Consumer::Sink { name, factory } => {
            lines.extend(factory.identity().map(|identity| line(ComponentKind::Sink, name, &[&identity])));
        }
    }
}

/// One line, whatever characters its parts have.
fn line(kind: ComponentKind, name: &str, parts: &[&str]) -> String {
    format!("{kind} {name:?} {parts:?}")
}
