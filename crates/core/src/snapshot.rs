//! How state is written down and read back: named tensors, encoded as one safetensors file.
//!
//! The encoding holds data only, nothing that could be executed. Names are sorted, numbers are little-endian, so equal
//! states are equal bytes. State that belongs to keys is written in the order of the keys, never in memory order.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

const FORMAT_KEY: &str = "sluicegate.snapshot";
const FORMAT_VERSION: &str = "1";

/// Why a snapshot could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are no snapshot, or not a whole one.
    #[error("not a readable snapshot: {0}")]
    Damaged(String),
    /// The snapshot was written in a format that this version does not know.
    #[error("the snapshot has format {found:?}; this version reads format {FORMAT_VERSION:?}")]
    Version {
        /// The format it names, if any.
        found: Option<String>,
    },
    /// An entry that should be there is not.
    #[error("the snapshot has no entry `{name}`: it was made by another operator or with other settings")]
    Missing {
        /// The full name of the entry.
        name: String,
    },
    /// An entry has another type or shape than the settings call for.
    #[error("snapshot entry `{name}` is {found}, but these settings need {expected}")]
    Mismatch {
        /// The full name of the entry.
        name: String,
        /// What the operator expected.
        expected: String,
        /// What the snapshot holds.
        found: String,
    },
    /// Two entries were written under one name.
    #[error("snapshot entry `{name}` was written twice")]
    Duplicate {
        /// The full name of the entry.
        name: String,
    },
    /// The number of values does not fit the shape.
    #[error("snapshot entry `{name}` of shape {shape:?} was given {values} values")]
    Shape {
        /// The full name of the entry.
        name: String,
        /// The shape it was given.
        shape: Vec<usize>,
        /// The number of values it was given.
        values: usize,
    },
}

#[derive(Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Entry {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Collects named tensors and encodes them.
///
/// ```
/// use sluicegate_core::{SnapshotReader, SnapshotWriter};
///
/// let mut writer = SnapshotWriter::new();
/// writer.scope("cell", |cell| cell.f32("weight", &[1, 2], &[0.5, -1.0]))?;
/// let bytes = writer.finish()?;
///
/// let reader = SnapshotReader::parse(&bytes)?;
/// assert_eq!(reader.scope("cell").f32("weight", &[1, 2])?, [0.5, -1.0]);
/// # Ok::<(), sluicegate_core::SnapshotError>(())
/// ```
#[derive(Debug, Default)]
pub struct SnapshotWriter {
    entries: BTreeMap<String, Entry>,
    prefix: String,
}

macro_rules! write_numbers {
    ($(#[$doc:meta])* $name:ident, $type:ty, $dtype:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// When the name is taken or the number of values does not fit the shape.
        pub fn $name(&mut self, name: &str, shape: &[usize], values: &[$type]) -> Result<(), SnapshotError> {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.put(name, Dtype::$dtype, shape, values.len(), bytes)
        }
    };
}

impl SnapshotWriter {
    /// An empty snapshot.
    pub fn new() -> Self {
        Self::default()
    }

    write_numbers!(
        /// Writes single-precision numbers of the given shape.
        f32, f32, F32
    );
    write_numbers!(
        /// Writes double-precision numbers of the given shape.
        f64, f64, F64
    );
    write_numbers!(
        /// Writes integers of the given shape.
        i64, i64, I64
    );
    write_numbers!(
        /// Writes bytes of the given shape.
        u8, u8, U8
    );

    /// Writes a list of strings.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn strings<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Result<(), SnapshotError> {
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        for value in values {
            bytes.extend_from_slice(value.as_bytes());
            ends.push(bytes.len() as i64);
        }
        self.i64(&format!("{name}.ends"), &[ends.len()], &ends)?;
        self.u8(&format!("{name}.utf8"), &[bytes.len()], &bytes)
    }

    /// Runs `write` with every name prefixed by `scope` and a dot.
    ///
    /// # Errors
    /// Whatever `write` returns.
    pub fn scope<E>(&mut self, scope: &str, write: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let outer = self.prefix.len();
        self.prefix.push_str(scope);
        self.prefix.push('.');
        let result = write(self);
        self.prefix.truncate(outer);
        result
    }

    /// Encodes everything written.
    ///
    /// # Errors
    /// When the encoding fails.
    pub fn finish(self) -> Result<Vec<u8>, SnapshotError> {
        let metadata = HashMap::from([(FORMAT_KEY.to_owned(), FORMAT_VERSION.to_owned())]);
        safetensors::serialize(self.entries.iter(), Some(metadata))
            .map_err(|error| SnapshotError::Damaged(error.to_string()))
    }

    fn put(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        values: usize,
        bytes: Vec<u8>,
    ) -> Result<(), SnapshotError> {
        let name = format!("{}{name}", self.prefix);
        if shape.iter().product::<usize>() != values {
            return Err(SnapshotError::Shape { name, shape: shape.to_vec(), values });
        }
        if self.entries.contains_key(&name) {
            return Err(SnapshotError::Duplicate { name });
        }
        self.entries.insert(name, Entry { dtype, shape: shape.to_vec(), bytes });
        Ok(())
    }
}

/// Reads what a [`SnapshotWriter`] encoded, or any other safetensors file that names its tensors alike.
#[derive(Debug, Clone)]
pub struct SnapshotReader<'a> {
    tensors: Arc<SafeTensors<'a>>,
    prefix: String,
}

/// One entry of a snapshot, for whoever wants to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Its full name.
    pub name: String,
    /// The type of its numbers, such as `F32`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its size.
    pub size_bytes: usize,
}

macro_rules! read_numbers {
    ($(#[$doc:meta])* $name:ident, $type:ty, $dtype:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// When there is no such entry, or one of another type or shape.
        pub fn $name(&self, name: &str, shape: &[usize]) -> Result<Vec<$type>, SnapshotError> {
            let view = self.view(name, Dtype::$dtype, Some(shape))?;
            Ok(view.data().chunks_exact(size_of::<$type>()).map(|bytes| {
                let mut raw = [0; size_of::<$type>()];
                raw.copy_from_slice(bytes);
                <$type>::from_le_bytes(raw)
            }).collect())
        }
    };
}

impl<'a> SnapshotReader<'a> {
    /// Reads a snapshot written by [`SnapshotWriter::finish`].
    ///
    /// # Errors
    /// When the bytes are damaged or of another format version.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SnapshotError> {
        let damaged = |error: safetensors::SafeTensorError| SnapshotError::Damaged(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let found = header.metadata().as_ref().and_then(|metadata| metadata.get(FORMAT_KEY)).cloned();
        if found.as_deref() != Some(FORMAT_VERSION) {
            return Err(SnapshotError::Version { found });
        }
        Self::parse_foreign(bytes)
    }

    /// Reads a safetensors file that somebody else wrote, such as weights trained in PyTorch.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn parse_foreign(bytes: &'a [u8]) -> Result<Self, SnapshotError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        Ok(Self { tensors: Arc::new(tensors), prefix: String::new() })
    }

    /// The part of the snapshot that was written under `scope`.
    #[must_use]
    pub fn scope(&self, scope: &str) -> Self {
        Self { tensors: Arc::clone(&self.tensors), prefix: format!("{}{scope}.", self.prefix) }
    }

    read_numbers!(
        /// Reads single-precision numbers of the given shape.
        f32, f32, F32
    );
    read_numbers!(
        /// Reads double-precision numbers of the given shape.
        f64, f64, F64
    );
    read_numbers!(
        /// Reads integers of the given shape.
        i64, i64, I64
    );
    read_numbers!(
        /// Reads bytes of the given shape.
        u8, u8, U8
    );

    /// Reads a list of strings.
    ///
    /// # Errors
    /// When there is no such entry, or it is damaged.
    pub fn strings(&self, name: &str) -> Result<Vec<String>, SnapshotError> {
        let damaged = || SnapshotError::Damaged(format!("the strings `{}{name}` are inconsistent", self.prefix));
        let (ends, utf8) = (format!("{name}.ends"), format!("{name}.utf8"));
        let ends = self.i64(&ends, &self.shape(&ends)?)?;
        let bytes = self.u8(&utf8, &self.shape(&utf8)?)?;
        let mut start = 0;
        let mut values = Vec::with_capacity(ends.len());
        for end in ends {
            let end = usize::try_from(end).map_err(|_| damaged())?;
            let value = bytes.get(start..end).ok_or_else(damaged)?;
            values.push(String::from_utf8(value.to_vec()).map_err(|_| damaged())?);
            start = end;
        }
        Ok(values)
    }

    /// The shape of an entry.
    ///
    /// # Errors
    /// When there is no such entry.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, SnapshotError> {
        Ok(self.find(name)?.shape().to_vec())
    }

    /// Every entry by its full name, with its type, its shape and its size in bytes; sorted by name.
    pub fn entries(&self) -> Vec<SnapshotEntry> {
        let mut all: Vec<SnapshotEntry> = self
            .tensors
            .iter()
            .filter(|(name, _)| name.starts_with(&self.prefix))
            .map(|(name, view)| SnapshotEntry {
                name: name.to_owned(),
                dtype: format!("{:?}", view.dtype()),
                shape: view.shape().to_vec(),
                size_bytes: view.data().len(),
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn find(&self, name: &str) -> Result<TensorView<'_>, SnapshotError> {
        let name = format!("{}{name}", self.prefix);
        self.tensors.tensor(&name).map_err(|_| SnapshotError::Missing { name })
    }

    fn view(&self, name: &str, dtype: Dtype, shape: Option<&[usize]>) -> Result<TensorView<'_>, SnapshotError> {
        let view = self.find(name)?;
        let fits = view.dtype() == dtype && shape.is_none_or(|shape| shape == view.shape());
        if fits {
            return Ok(view);
        }
        Err(SnapshotError::Mismatch {
            name: format!("{}{name}", self.prefix),
            expected: format!("{dtype:?} of shape {:?}", shape.unwrap_or_default()),
            found: format!("{:?} of shape {:?}", view.dtype(), view.shape()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let mut writer = SnapshotWriter::new();
        writer.strings("keys", ["north", "", "süd"]).unwrap();
        writer.scope("cell", |cell| cell.f32("weight", &[1, 2], &[0.5, f32::NAN])).unwrap();
        writer.f64("sum", &[1], &[1e300]).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read_back_bit_for_bit() {
        let bytes = example();
        let reader = SnapshotReader::parse(&bytes).unwrap();
        assert_eq!(reader.strings("keys").unwrap(), ["north", "", "süd"]);
        let weight = reader.scope("cell").f32("weight", &[1, 2]).unwrap();
        assert_eq!(weight[1].to_bits(), f32::NAN.to_bits());
        assert_eq!(reader.f64("sum", &[1]).unwrap(), [1e300]);
    }

    #[test]
    fn the_order_of_writing_leaves_no_trace() {
        let mut writer = SnapshotWriter::new();
        writer.f64("sum", &[1], &[1e300]).unwrap();
        writer.scope("cell", |cell| cell.f32("weight", &[1, 2], &[0.5, f32::NAN])).unwrap();
        writer.strings("keys", ["north", "", "süd"]).unwrap();
        assert_eq!(writer.finish().unwrap(), example());
    }

    #[test]
    fn a_snapshot_of_other_settings_is_refused_with_both_sides() {
        let bytes = example();
        let reader = SnapshotReader::parse(&bytes).unwrap();
        let message = reader.scope("cell").f32("weight", &[1, 3]).unwrap_err().to_string();
        assert_eq!(
            message,
            "snapshot entry `cell.weight` is F32 of shape [1, 2], but these settings need F32 of shape [1, 3]"
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = example();
        for len in 0..bytes.len() {
            assert!(SnapshotReader::parse(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}
