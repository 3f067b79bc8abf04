//! Sound from WAV files: a row for each sample, or for each frame of some samples.
//!
//! The header is read here, not by a crate: `hound`, the one that is kept, loses its way after a chunk of odd length, refuses PCM of
//! 32 bits in an extended header, and does not say which encoding it met. It writes the files of the tests.
//!
//! | file | what it knows |
//! |---|---|
//! | `config` | the settings, and how they become a source |
//! | `header` | what a file says of its encoding and length |
//! | `encoding` | how bytes become a number |
//! | `frame` | which samples a row is made of, and what is said of them |
//! | `labels` | what files are called, and the key that their names hold |
//! | `clock` | when a sample is |
//! | `shape` | the columns, and the rows of a stretch of one file |
//! | `source`, `reader` | the partitions, and the rows of one |

mod clock;
mod config;
mod encoding;
mod frame;
mod header;
mod labels;
mod reader;
mod shape;
mod source;

pub use config::{Unit, WavConfig};
pub use frame::{FrameConfig, Span};
