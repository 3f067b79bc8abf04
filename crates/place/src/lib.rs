//! Files in a local folder or an object store, by blocking calls.
//!
//! | file | what it knows |
//! |---|---|
//! | `address` | what a path or URL in the settings means, and which are refused |
//! | `s3` | the client of a store, made of what the environment says |
//! | `place` | the folder or prefix: write once, read, list, remove |
//! | `object` | reading one file by ranges, in bounded memory |
//! | `upload` | writing one file of unknown length, in bounded memory |
//!
//! Credentials and everything else about a store come from the environment, under the names that AWS gives them:
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` for a server that is not
//! Amazon's, and `AWS_ALLOW_HTTP=true` where that has no TLS. They are never part of a path, an error or a log.
//!
//! What is promised of every place: a file is there whole or not at all; [`Place::create`] and [`Place::move_new`] succeed for
//! one caller only, also among processes; of those that create a file with the very same bytes, for each. Every call ends: a store that does not answer is tried again for half a minute.

mod address;
mod error;
mod object;
mod place;
mod s3;
#[cfg(test)]
mod tests;
mod upload;

pub use address::{Address, is_url};
pub use error::PlaceError;
pub use object::{ObjectFile, ObjectReader};
pub use place::{Found, Place};
pub use upload::Upload;
