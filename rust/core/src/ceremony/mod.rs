//! Phase-2 ceremonies: the trapdoors of a key from the secrets of several people (docs/spec/ceremony.md).
//!
//! - `table`: the trapdoors, and what each of them divides;
//! - `transcript`: head and records, as bytes and as hashes;
//! - `knowledge`: the proof that a contributor knew his secret, and where secrets come from;
//! - `file`: the file that goes from hand to hand;
//! - `start`, `contribute`, `beacon`, `verify`: what is done with it.
//!
//! Files are mapped and sections are worked off piece by piece, so that memory does not grow with the circuit, except in
//! `start`, which makes a key.

pub mod beacon;
pub mod contribute;
pub mod file;
pub mod knowledge;
pub mod start;
pub mod table;
pub mod transcript;
pub mod verify;

use crate::error::Error;

/// A file that is no ceremony, or a damaged one.
fn malformed(what: impl std::fmt::Display) -> Error {
    Error::Format(format!("ceremony: {what}"))
}

/// A ceremony whose key somebody may be able to forge with.
fn refused(what: impl std::fmt::Display) -> Error {
    Error::UnsafeKey(format!("ceremony: {what}"))
}
