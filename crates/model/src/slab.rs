//! Per-key memory: one fixed-width row per slot.

/// Rows of `width` values each, indexed by slot. Grows, never shrinks; a freed slot is cleared and used again.
#[derive(Debug, Clone)]
pub(crate) struct Slab<T> {
    width: usize,
    values: Vec<T>,
    empty: T,
}

impl<T: Copy> Slab<T> {
    /// No rows yet; new and cleared ones are filled with `empty`.
    pub(crate) fn new(width: usize, empty: T) -> Self {
        Self { width, values: Vec::new(), empty }
    }

    /// Makes room for slots `0 .. slots`.
    pub(crate) fn reserve(&mut self, slots: usize) {
        if self.values.len() < slots * self.width {
            self.values.resize(slots * self.width, self.empty);
        }
    }

    /// The row of a slot.
    pub(crate) fn row(&self, slot: usize) -> &[T] {
        &self.values[slot * self.width..(slot + 1) * self.width]
    }

    /// The row of a slot, to change.
    pub(crate) fn row_mut(&mut self, slot: usize) -> &mut [T] {
        &mut self.values[slot * self.width..(slot + 1) * self.width]
    }

    /// Puts a row back to how a new one looks.
    pub(crate) fn clear(&mut self, slot: usize) {
        let empty = self.empty;
        self.row_mut(slot).fill(empty);
    }

    /// The rows of the given slots, one after the other.
    pub(crate) fn gather<U>(&self, slots: &[usize], convert: impl Fn(T) -> U) -> Vec<U> {
        slots.iter().flat_map(|slot| self.row(*slot)).map(|value| convert(*value)).collect()
    }

    /// Replaces everything by rows for slots `0 ..`, as [`Slab::gather`] returned them.
    pub(crate) fn fill<U: Copy>(&mut self, values: &[U], convert: impl Fn(U) -> T) {
        self.values = values.iter().map(|value| convert(*value)).collect();
    }

    /// Values per row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }
}
