//! Groth16 and CG16 over BN254: field vectors, transforms, multi-scalar multiplication, keys, prover and verifier.
//!
//! No Python in here. Modules in the order in which a proof passes through them; `field`, `curve`, `ntt` and `msm` are
//! the hot kernels, each behind a narrow interface of its own.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_endian = "big")]
compile_error!("the key file is mapped as it is, which needs a little-endian machine");

pub mod batch;
pub mod curve;
pub mod error;
pub mod field;
pub mod fixed_base;
pub mod foreign;
pub mod frvec;
pub mod kernel;
pub mod key;
pub mod msm;
pub mod ntt;
pub mod parallel;
pub mod prove;
pub mod rows;
pub mod setup;
pub mod system;
pub mod tie;
pub mod transcript;
pub mod verify;

pub use error::{Error, Result};
