//! Conformance suites for components, ours and yours.
//!
//! [`operator`] checks the laws that every [`Operator`](sluicegate_core::Operator) keeps; [`logs`] makes the logs to check them
//! on. With the feature `model`, `predictor` and `head` check those of the models inside the forecast operator and of the
//! distributions that they say. A suite panics with the first difference it finds, so it is used inside a test:
//!
//! ```
//! use sluicegate_core::{Batch, BoxError, Operator, Output, SnapshotReader, SnapshotWriter};
//! use sluicegate_testkit::{logs::LogSpec, operator::Suite};
//!
//! #[derive(Default)]
//! struct Pass;
//! impl Operator for Pass {
//!     fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
//!         out.emit(batch);
//!         Ok(())
//!     }
//!     fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> { Ok(()) }
//!     fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> { Ok(()) }
//! }
//!
//! let log = LogSpec { rows: 50, keys: 3, ..LogSpec::default() }.build();
//! let suite = Suite::new(|| Box::new(Pass), log);
//! suite.assert_rechunking(&[1, 7]);
//! suite.assert_snapshot_is_prefix(20, 7);
//! ```

#![expect(clippy::panic, clippy::expect_used, reason = "a suite reports by panicking in the test that calls it")]

#[cfg(feature = "model")]
pub mod head;
pub mod logs;
#[cfg(feature = "kafka")]
pub use sluicegate_broker as kafka;
pub mod operator;
#[cfg(feature = "model")]
pub mod predictor;
#[cfg(feature = "model")]
mod said;
#[cfg(feature = "model")]
pub use said::Said;
