//! Exactly once: the position of a shard and the records that it wrote become visible in one Kafka transaction.
//!
//! | file | what it knows |
//! |---|---|
//! | `registry` | which shard has which producer, so that a source's ledger and the sinks meet |
//! | `spec` | what one shard's ledger has to know |
//! | `settings` | what all producers of a pipeline have in common |
//! | `shard` | the producer of one shard, from one take-over to the next, and what sinks send through |
//! | `ledger` | the calls of a commit and of a take-over, in order |
//! | `verdict` | what an error of a call means for the shard |
//! | `attempt` | calling again while it helps, and noticing a call that does not return |
//! | `group` | the consumer that reads committed offsets |

mod attempt;
mod group;
mod ledger;
mod registry;
mod settings;
mod shard;
mod spec;
mod verdict;

pub use registry::Transactions;
pub use settings::ProducerSettings;
pub use shard::ShardProducer;
pub use spec::{LedgerSpec, Member};
pub(crate) use verdict::is_passing;
