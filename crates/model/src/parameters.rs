//! Named parameters in one flat buffer.

use std::ops::Range;

use sluicegate_core::{SnapshotError, SnapshotReader, SnapshotWriter};

/// The place of one named tensor in the flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSpec {
    /// PyTorch's name for it, such as `weight_ih_l0`.
    pub name: String,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
}

impl ParameterSpec {
    /// A tensor called `name` of the given shape.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), shape: shape.into() }
    }

    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Names, shapes and places of a model's parameters. Gradients and optimizer moments share the layout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    entries: Vec<(ParameterSpec, Range<usize>)>,
}

impl Layout {
    /// Puts the tensors one after the other.
    pub fn new(specs: impl IntoIterator<Item = ParameterSpec>) -> Self {
        let mut end = 0;
        let entries = specs
            .into_iter()
            .map(|spec| {
                let start = end;
                end += spec.len();
                (spec, start..end)
            })
            .collect();
        Self { entries }
    }

    /// Length of the flat buffer.
    pub fn len(&self) -> usize {
        self.entries.last().map_or(0, |(_, range)| range.end)
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ParameterSpec, Range<usize>)> {
        self.entries.iter().map(|(spec, range)| (spec, range.clone()))
    }

    /// Writes a flat buffer as one entry per tensor.
    ///
    /// # Errors
    /// As for [`SnapshotWriter::f32`].
    pub fn write(&self, values: &[f32], to: &mut SnapshotWriter) -> Result<(), SnapshotError> {
        self.iter().try_for_each(|(spec, range)| to.f32(&spec.name, &spec.shape, &values[range]))
    }

    /// Reads what [`Layout::write`] wrote.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn read(&self, from: &SnapshotReader<'_>) -> Result<Vec<f32>, SnapshotError> {
        let mut values = Vec::with_capacity(self.len());
        for (spec, _) in self.iter() {
            values.extend(from.f32(&spec.name, &spec.shape)?);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_follow_each_other() {
        let layout = Layout::new([ParameterSpec::new("a", [2, 3]), ParameterSpec::new("b", [4])]);
        let places: Vec<_> = layout.iter().map(|(spec, range)| (spec.name.as_str(), range)).collect();
        assert_eq!((layout.len(), places), (10, vec![("a", 0..6), ("b", 6..10)]));
    }
}
