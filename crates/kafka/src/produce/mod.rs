//! Sending records, with what became of each.
//!
//! | file | what it knows |
//! |---|---|
//! | `record` | one record that is to be written |
//! | `delivery` | how many records are on their way, and the first that could not arrive |
//! | `outbox` | a producer that blocks when it is full and waits without polling in steps |
//! | `error` | what can go wrong |

mod delivery;
mod error;
mod outbox;
mod record;

pub(crate) use delivery::plain;
pub use error::ProduceError;
pub(crate) use error::is_permanent;
pub use outbox::Outbox;
pub use record::{Header, Record};
