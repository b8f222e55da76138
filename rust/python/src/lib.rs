//! `zkchain._core`: the thin Python binding of `zkchain-core`. It takes bytes and buffers, and gives frozen classes.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod buffers;
mod ceremony;
mod circom;
mod errors;
mod frvec;
mod job;
mod keys;
mod verifying;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<frvec::FrVec>()?;
    module.add_class::<keys::SetupBuilder>()?;
    module.add_class::<keys::ProvingKey>()?;
    module.add_class::<keys::Commitment>()?;
    module.add_class::<circom::ZkeyProver>()?;
    module.add_class::<circom::R1csProver>()?;
    module.add_class::<circom::Unfold>()?;
    module.add_function(wrap_pyfunction!(circom::point_differences, module)?)?;
    module.add_function(wrap_pyfunction!(circom::uncompressed_points, module)?)?;
    module.add_function(wrap_pyfunction!(circom::replace_sections, module)?)?;
    module.add_class::<ceremony::Ceremony>()?;
    module.add_class::<ceremony::InitialKey>()?;
    module.add_class::<ceremony::InitialBuilder>()?;
    module.add_function(wrap_pyfunction!(circom::r1cs_hash, module)?)?;
    module.add_function(wrap_pyfunction!(circom::setup_r1cs_ptau, module)?)?;
    module.add_function(wrap_pyfunction!(verifying::keccak256, module)?)?;
    module.add_class::<verifying::VerifyingKey>()
}
