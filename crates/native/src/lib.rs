//! Recurrent cells in plain Rust: plain, LSTM and GRU in both forms, stacked, one event at a time or windows of events with their
//! gradients.
//!
//! # Guarantees
//! - A row's result is the same, bit by bit, whatever rows are beside it: rows are worked on one by one.
//! - It is the same on every processor: products are summed in a fixed order, each output in a lane of its own, without fused
//!   multiply-add, and nothing is asked of the system's mathematical library. Wider instructions only do more lanes at once
//!   ([`InstructionSet`]).
//! - A number that is not finite stays visible: nothing here turns it into one that is.
//!
//! ```
//! use sluicegate_native::{Kind, Shape, Stack};
//!
//! let shape = Shape { kind: Kind::Lstm, inputs: 3, hidden: 8, layers: 1, skip_connections: false };
//! let mut cell = Stack::new(shape);
//! cell.load(&vec![0.1; shape.parameters()]);
//! let mut state = vec![0.0; shape.state()];
//! cell.step(&[1.0, -1.0, 0.5], &mut state);
//! assert!(state.iter().all(|value| *value != 0.0 && value.abs() < 1.0));
//! ```

mod activation;
mod instructions;
mod layer;
mod logarithm;
mod pool;
mod product;
mod rule;
mod shape;
mod stack;
mod tape;

pub use instructions::InstructionSet;
pub use pool::LogPool;
pub use shape::{Kind, Shape};
pub use stack::{Gates, Stack, Windows};

/// Moves whenever the last bits of a result do: results are equal bit by bit where this number is.
pub const ARITHMETIC: u32 = 1;
