//! The native backend: recurrent cells by `sluicegate-native`, whose results are the same in every batch and on every processor.

use sluicegate_native::{Kind, Shape, Stack};

use super::{Cell, CellKind, CellShape, GateTrace, Windows};
use crate::error::ModelError;

/// A recurrent cell in plain Rust.
pub struct NativeCell {
    stack: Stack,
    is_loaded: bool,
    is_unrolled: bool,
}

impl NativeCell {
    /// A cell of the given shape.
    ///
    /// # Errors
    /// [`ModelError::NotNative`] for a cell that is not recurrent.
    pub fn new(shape: CellShape) -> Result<Self, ModelError> {
        let CellShape { inputs, hidden, layers, skip_connections, .. } = shape;
        let kind = kind(shape.kind).ok_or(ModelError::NotNative { kind: shape.kind.as_str() })?;
        if inputs == 0 || hidden == 0 || layers == 0 {
            return Err(ModelError::EmptyCell { inputs, hidden, layers });
        }
        let stack = Stack::new(Shape { kind, inputs, hidden, layers, skip_connections });
        Ok(Self { stack, is_loaded: false, is_unrolled: false })
    }

    /// Whether there is such a cell.
    pub fn covers(kind: CellKind) -> bool {
        self::kind(kind).is_some()
    }
}

fn kind(kind: CellKind) -> Option<Kind> {
    match kind {
        CellKind::Lstm => Some(Kind::Lstm),
        CellKind::Gru => Some(Kind::Gru),
        CellKind::GruResetBefore => Some(Kind::GruResetBefore),
        CellKind::Rnn => Some(Kind::Rnn),
        CellKind::Mlp { .. } => None,
    }
}

impl Cell for NativeCell {
    fn arithmetic(&self) -> String {
        format!("native {}", sluicegate_native::ARITHMETIC)
    }

    fn load(&mut self, parameters: &[f32]) -> Result<(), ModelError> {
        self.stack.load(parameters);
        (self.is_loaded, self.is_unrolled) = (true, false);
        Ok(())
    }

    fn step(&mut self, inputs: &[f32], states: &mut [f32]) -> Result<(), ModelError> {
        if !self.is_loaded {
            return Err(ModelError::CellNotLoaded);
        }
        self.stack.step(inputs, states);
        Ok(())
    }

    fn unroll(&mut self, windows: &Windows) -> Result<Vec<f32>, ModelError> {
        if !self.is_loaded {
            return Err(ModelError::CellNotLoaded);
        }
        let Windows { count, steps, outputs, inputs, states } = windows;
        self.is_unrolled = true;
        Ok(self.stack.unroll(sluicegate_native::Windows {
            count: *count,
            steps: *steps,
            outputs: *outputs,
            inputs,
            states,
        }))
    }

    fn backward(
        &mut self,
        d_hidden: &[f32],
        gradient: &mut [f32],
        d_inputs: Option<&mut Vec<f32>>,
    ) -> Result<(), ModelError> {
        if !std::mem::take(&mut self.is_unrolled) {
            return Err(ModelError::CellNotLoaded);
        }
        self.stack.backward(d_hidden, gradient, d_inputs);
        Ok(())
    }

    fn d_states(&mut self, d_hidden: &[f32]) -> Result<Vec<f32>, ModelError> {
        if !self.is_unrolled {
            return Err(ModelError::CellNotLoaded);
        }
        Ok(self.stack.d_states(d_hidden))
    }

    fn gates(&self) -> Result<GateTrace, ModelError> {
        if !self.is_unrolled {
            return Err(ModelError::CellNotLoaded);
        }
        let Shape { kind, hidden, layers, .. } = self.stack.shape();
        let (gates, cells) = (0..layers).map(|layer| self.stack.gates(layer)).map(|of| (of.gates, of.cells)).unzip();
        Ok(GateTrace { names: kind.gate_names(), hidden, gates, cells })
    }
}
