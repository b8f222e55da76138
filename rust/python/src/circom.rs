//! Provers and setup for the files of circom and snarkjs: .zkey, .r1cs, .wtns, .ptau.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use zkchain_core::circom::ptau::Ptau;
use zkchain_core::circom::ptau_setup::setup_r1cs;
use zkchain_core::circom::r1cs::R1cs;
use zkchain_core::circom::unfold;
use zkchain_core::circom::{r1cs_prover, wtns, zkey};
use zkchain_core::kernel::field::Fr;
use zkchain_core::key::{with_sections, ProvingKey as ProverKey};
use zkchain_core::memory::room_for;
use zkchain_core::monitor::Monitor;
use zkchain_core::verify::Proof;
use zkchain_core::Result;

use crate::buffers::{to_int, OwnedRows};
use crate::errors::{guarded, to_py};
use crate::job::{run, Terms};
use crate::keys::{locked, used, ProvingKey};

/// A .zkey, kept open.
#[pyclass(frozen, module = "zkchain._core")]
pub struct ZkeyProver(Arc<zkey::Zkey>);

#[pymethods]
impl ZkeyProver {
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let key = run(py, None, |_| zkey::Zkey::open(&path))?;
        Ok(ZkeyProver(Arc::new(key)))
    }

    #[getter]
    fn vk_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.vk.to_bytes())
    }

    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = PyDict::new(py);
        let counts = [
            ("n_wires", self.0.n_wires),
            ("n_public", self.0.n_public),
            ("domain_size", self.0.domain_size),
            ("coefficients", self.0.coefficient_count()),
            ("file_size", self.0.file_size()),
        ];
        for (name, count) in counts {
            info.set_item(name, count)?;
        }
        Ok(info)
    }

    #[pyo3(signature = (progress = None))]
    fn check_points(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<()> {
        run(py, progress, |monitor| self.0.check_points(monitor))
    }

    /// The bytes of a proof that has been verified, and the public wires.
    #[pyo3(signature = (wtns, progress = None, memory = None))]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        wtns: &[u8],
        progress: Option<Py<PyAny>>,
        memory: Option<usize>,
    ) -> PyResult<Proved<'py>> {
        prove(py, wtns, Terms { progress, memory }, |wires, monitor| self.0.prove(wires, monitor))
    }
}

/// Proof bytes and the public wires.
type Proved<'py> = (Bound<'py, PyBytes>, Bound<'py, PyList>);

fn prove<'py>(
    py: Python<'py>,
    wtns: &[u8],
    terms: Terms,
    prover: impl for<'w> Fn(&'w [Fr], &dyn Monitor) -> Result<(Proof, &'w [Fr])> + Sync,
) -> PyResult<Proved<'py>> {
    let (proof, public) = run(py, terms, |monitor| {
        room_for(monitor, "witness", wtns.len())?;
        let wires = wtns::parse(wtns)?;
        let (proof, public) = prover(&wires, monitor)?;
        Ok((proof, public.to_vec()))
    })?;
    let ints: PyResult<Vec<_>> = public.iter().map(|x| to_int(py, x)).collect();
    Ok((PyBytes::new(py, &proof.to_bytes()), PyList::new(py, ints?)?))
}

/// A key of our own format with the .r1cs that it was made for, kept open.
#[pyclass(frozen, module = "zkchain._core")]
pub struct R1csProver(r1cs_prover::R1csProver);

#[pymethods]
impl R1csProver {
    #[staticmethod]
    fn open(py: Python<'_>, key: PathBuf, r1cs: &[u8]) -> PyResult<Self> {
        let prover = run(py, None, |_| r1cs_prover::R1csProver::new(ProverKey::open(&key)?, &R1cs::parse(r1cs)?))?;
        Ok(R1csProver(prover))
    }

    /// The key's digest.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.key.digest())
    }

    /// Reads the whole key.
    fn verify_digests(&self, py: Python<'_>) -> PyResult<()> {
        run(py, None, |_| self.0.key.verify_digests())
    }

    /// The bytes of a proof that has been verified, and the public wires.
    #[pyo3(signature = (wtns, progress = None, memory = None))]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        wtns: &[u8],
        progress: Option<Py<PyAny>>,
        memory: Option<usize>,
    ) -> PyResult<Proved<'py>> {
        prove(py, wtns, Terms { progress, memory }, |wires, monitor| self.0.prove(wires, monitor))
    }
}

/// The circuit hash of an .r1cs file's constraints, which a key made for them holds.
#[pyfunction]
pub fn r1cs_hash<'py>(py: Python<'py>, r1cs: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let shape = guarded(|| Ok(R1cs::parse(r1cs)?.shape())).map_err(|e| to_py(py, e))?;
    Ok(PyBytes::new(py, &shape.circuit_hash))
}

/// A development key for the constraints of an .r1cs file on the powers of tau at `ptau`.
#[pyfunction]
#[pyo3(signature = (r1cs, ptau, progress = None))]
pub fn setup_r1cs_ptau(
    py: Python<'_>,
    r1cs: &[u8],
    ptau: PathBuf,
    progress: Option<Py<PyAny>>,
) -> PyResult<ProvingKey> {
    let powers = py.detach(|| guarded(|| Ptau::open(&ptau))).map_err(|e| to_py(py, e))?;
    let key = run(py, progress, |monitor| setup_r1cs(&R1cs::parse(r1cs)?, &powers, monitor))?;
    Ok(ProvingKey::new(key))
}

/// Between our K query and a .zkey's: takes the rows of C, then adds their part to points or takes it away.
#[pyclass(frozen, module = "zkchain._core")]
pub struct Unfold {
    n_wires: usize,
    inner: Mutex<Option<unfold::Unfold>>,
}

#[pymethods]
impl Unfold {
    #[new]
    #[pyo3(signature = (h, n_wires, progress = None))]
    fn new(py: Python<'_>, h: &[u8], n_wires: usize, progress: Option<Py<PyAny>>) -> PyResult<Self> {
        let inner = run(py, progress, |monitor| unfold::Unfold::new(h, n_wires, monitor))?;
        Ok(Unfold { n_wires, inner: Mutex::new(Some(inner)) })
    }

    fn add_rows(&self, py: Python<'_>, c: &Bound<'_, PyAny>) -> PyResult<()> {
        let c = OwnedRows::extract(c)?;
        let mut slot = locked(&self.inner);
        let inner = slot.as_mut().ok_or_else(|| used("Unfold"))?;
        let width = self.n_wires;
        run(py, None, move |_| inner.add_rows(c.borrow(width)?))
    }

    #[pyo3(signature = (points, *, minus, progress = None))]
    fn finish<'py>(
        &self,
        py: Python<'py>,
        points: &[u8],
        minus: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let inner = locked(&self.inner).take().ok_or_else(|| used("Unfold"))?;
        let made = run(py, progress, move |monitor| inner.finish(points, minus, monitor))?;
        Ok(PyBytes::new(py, &made))
    }
}

/// a - b for each pair of points of G1 (64 bytes each, Montgomery limbs).
#[pyfunction]
pub fn point_differences<'py>(py: Python<'py>, a: &[u8], b: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let made = run(py, None, |_| unfold::differences(a, b))?;
    Ok(PyBytes::new(py, &made))
}

/// Points as snarkjs hashes them.
#[pyfunction]
pub fn uncompressed_points<'py>(py: Python<'py>, points: &[u8], second: bool) -> PyResult<Bound<'py, PyBytes>> {
    let made = run(py, None, |_| Ok(unfold::uncompressed(points, second)))?;
    Ok(PyBytes::new(py, &made))
}

/// A key file with some sections replaced by others of the same length.
#[pyfunction]
pub fn replace_sections<'py>(
    py: Python<'py>,
    key: &[u8],
    sections: Vec<(u32, Vec<u8>)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let made = run(py, None, |_| with_sections(key, &sections))?;
    Ok(PyBytes::new(py, &made))
}
