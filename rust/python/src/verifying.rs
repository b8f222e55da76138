//! Verifying keys: checked once, then used for many proofs.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zkchain_core::batch::{verify_batch, Claim};
use zkchain_core::kernel::curve::decode_g1;
use zkchain_core::system::System;
use zkchain_core::transcript;
use zkchain_core::verify::{self, Proof};
use zkchain_core::Error;

use crate::buffers::{instance, to_int, word};
use crate::errors::to_py;
use crate::job::{compute, run};

#[pyclass(frozen, module = "zkchain._core")]
pub struct VerifyingKey(verify::VerifyingKey);

impl VerifyingKey {
    fn proof(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<Proof> {
        compute(py, 0, || Proof::from_bytes(self.0.system, bytes))
    }
}

#[pymethods]
impl VerifyingKey {
    #[new]
    #[pyo3(signature = (points, *, system, instance_length, circuit_hash))]
    fn new(py: Python<'_>, points: &[u8], system: &str, instance_length: usize, circuit_hash: &[u8]) -> PyResult<Self> {
        let hash = word(circuit_hash, "circuit_hash")?;
        let system = System::from_name(system).map_err(|e| to_py(py, e))?;
        compute(py, 0, || verify::VerifyingKey::from_bytes(system, instance_length, hash, points)).map(VerifyingKey)
    }

    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.hash)
    }

    /// c for the commitment D (64 bytes; cg16).
    fn challenge<'py>(
        &self,
        py: Python<'py>,
        d: &[u8],
        instance_words: &Bound<'py, PyAny>,
        ctx: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let (words, ctx) = (instance(instance_words)?, word(ctx, "ctx")?);
        let c = compute(py, 0, || {
            let d = decode_g1(d, "commitment")?;
            Ok(transcript::challenge(&self.0.seed(&ctx, Some(&d), &words), 0))
        })?;
        to_int(py, &c)
    }

    fn verify(&self, py: Python<'_>, instance_words: &Bound<'_, PyAny>, proof: &[u8], ctx: &[u8]) -> PyResult<()> {
        let (words, ctx) = (instance(instance_words)?, word(ctx, "ctx")?);
        let proof = self.proof(py, proof)?;
        run(py, None, |_| verify::verify(&self.0, &words, &proof, &ctx))
    }

    /// Claims are (instance, proof, ctx).
    fn verify_batch(&self, py: Python<'_>, claims: Vec<(Bound<'_, PyAny>, Vec<u8>, Vec<u8>)>) -> PyResult<()> {
        type PyClaim<'py> = (Bound<'py, PyAny>, Vec<u8>, Vec<u8>);
        let claim = |(i, (words, proof, ctx)): (usize, PyClaim<'_>)| {
            let proof = compute(py, 0, || {
                Proof::from_bytes(self.0.system, &proof).map_err(|error| match error {
                    Error::ProofFormat(text) => Error::ProofFormat(format!("proof {i} of the batch: {text}")),
                    other => other,
                })
            })?;
            Ok(Claim { instance: instance(&words)?, proof, ctx: word(&ctx, "ctx")? })
        };
        let claims: Vec<Claim> = claims.into_iter().enumerate().map(claim).collect::<PyResult<_>>()?;
        run(py, None, |monitor| verify_batch(&self.0, &claims, monitor))
    }
}

/// Keccak-256 with the original padding, as the EVM's opcode.
#[pyfunction]
pub fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &transcript::keccak(&[data]))
}
