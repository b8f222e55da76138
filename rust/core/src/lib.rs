//! Groth16 and CG16 over BN254: setup, proving keys, prover and verifier, and the arithmetic under them.
//!
//! No Python in here. From the bottom up:
//! - `kernel`: the arithmetic in which a prover spends its time, by subject: field, curve, msm, fft;
//! - `pool`, `monitor`, `memory`: threads, progress and cancellation, buffers and the bound on memory;
//! - `frvec`, `rows`: vectors of field elements, and sparse matrices times them;
//! - `system`, `transcript`, `verify`, `batch`: the two proof systems, and what a verifier needs;
//! - `key`, `tie`, `setup`, `prove`: the proving key's file, how it is made and how it is used;
//! - `circom`: the same for the files of circom and snarkjs;
//! - `ceremony`: keys whose secrets nobody knows.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_endian = "big")]
compile_error!("the key file is mapped as it is, which needs a little-endian machine");

pub mod batch;
pub mod ceremony;
pub mod circom;
pub mod error;
pub mod frvec;
pub mod kernel;
pub mod key;
pub mod memory;
pub mod monitor;
pub mod pool;
pub mod prove;
pub mod rows;
pub mod setup;
pub mod system;
pub mod tie;
pub mod transcript;
pub mod verify;

pub use error::{Error, Result};
