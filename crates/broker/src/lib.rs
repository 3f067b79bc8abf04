//! A real Apache Kafka broker on this machine, for tests and first steps.
//!
//! ```no_run
//! let mut broker = sluicegate_broker::Broker::start()?;
//! println!("{}", broker.bootstrap());      // 127.0.0.1:41235
//! broker.kill()?;                          // as a power cut would
//! broker.restart()?;                       // the same address and the same data
//! # Ok::<(), sluicegate_broker::BrokerError>(())
//! ```
//!
//! It is one node in KRaft mode, on free ports of 127.0.0.1, in a temporary folder, with few threads and short time-outs. It ends
//! with the value that started it, and also when the process that started it is killed. `cargo xtask test` and `cargo xtask
//! kafka` fetch what it consists of into the folder that the variable `SLUICEGATE_KAFKA` names. [`SchemaRegistry`] is a real schema
//! registry, in the same way.
//!
//! Where the variable `KAFKA_BOOTSTRAP` is set, [`Broker::start`] stands for that broker instead, which it neither starts nor
//! ends.

mod broker;
mod distribution;
mod error;
mod process;
mod registry;

pub use broker::Broker;
pub use distribution::Distribution;
pub use error::BrokerError;
pub use registry::SchemaRegistry;
