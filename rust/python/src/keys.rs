//! Setup, proving keys and commitments.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use zkchain_core::kernel::curve::encode_g1;
use zkchain_core::prove::Assignment;
use zkchain_core::system::{Shape, System};
use zkchain_core::{key, prove, setup};

use crate::buffers::{instance, to_int, word, OwnedRows};
use crate::errors::to_py;
use crate::frvec::FrVec;
use crate::job::{compute, run, Terms};

pub fn locked<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub fn used(what: &str) -> PyErr {
    PyValueError::new_err(format!("this {what} has been used already"))
}

/// Collects streamed rows, then makes a development key. The toxic waste stays inside and is wiped.
#[pyclass(frozen, module = "zkchain._core")]
pub struct SetupBuilder(Mutex<Option<setup::SetupBuilder>>);

#[pymethods]
impl SetupBuilder {
    #[new]
    #[pyo3(signature = (*, system, n_wires, n_public, n_committed, n_rows, instance_length, circuit_hash))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        system: &str,
        n_wires: usize,
        n_public: usize,
        n_committed: usize,
        n_rows: usize,
        instance_length: usize,
        circuit_hash: &[u8],
    ) -> PyResult<Self> {
        let circuit_hash = word(circuit_hash, "circuit_hash")?;
        let system = System::from_name(system).map_err(|e| to_py(py, e))?;
        let shape = Shape { system, n_wires, n_public, n_committed, n_rows, instance_length, circuit_hash };
        let builder = run(py, None, |_| setup::SetupBuilder::new(shape))?;
        Ok(SetupBuilder(Mutex::new(Some(builder))))
    }

    /// The next rows a * b = c, as three objects with indptr, cols and vals.
    fn add_rows(
        &self,
        py: Python<'_>,
        a: &Bound<'_, PyAny>,
        b: &Bound<'_, PyAny>,
        c: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let [a, b, c] = [OwnedRows::extract(a)?, OwnedRows::extract(b)?, OwnedRows::extract(c)?];
        let mut slot = locked(&self.0);
        let builder = slot.as_mut().ok_or_else(|| used("builder"))?;
        let width = builder.shape().n_wires;
        run(py, None, move |_| builder.add_rows([a.borrow(width)?, b.borrow(width)?, c.borrow(width)?]))
    }

    /// The key, in memory or in a new file at `place`.
    #[pyo3(signature = (progress = None, *, place = None, memory = None))]
    fn finish(
        &self,
        py: Python<'_>,
        progress: Option<Py<PyAny>>,
        place: Option<PathBuf>,
        memory: Option<usize>,
    ) -> PyResult<ProvingKey> {
        let builder = locked(&self.0).take().ok_or_else(|| used("builder"))?;
        let key = run(py, Terms { progress, memory }, move |monitor| builder.finish(place.as_deref(), monitor))?;
        Ok(ProvingKey::new(key))
    }
}

#[pyclass(frozen, module = "zkchain._core")]
pub struct ProvingKey(Arc<key::ProvingKey>);

impl ProvingKey {
    pub fn new(key: key::ProvingKey) -> Self {
        ProvingKey(Arc::new(key))
    }
}

#[pymethods]
impl ProvingKey {
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let key = py.detach(|| crate::errors::guarded(|| key::ProvingKey::open(&path)));
        Ok(ProvingKey(Arc::new(key.map_err(|e| to_py(py, e))?)))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let key = crate::errors::guarded(|| key::ProvingKey::from_bytes(data));
        Ok(ProvingKey(Arc::new(key.map_err(|e| to_py(py, e))?)))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&path)).map_err(|e| to_py(py, e))
    }

    fn verify_digests(&self, py: Python<'_>) -> PyResult<()> {
        run(py, None, |_| self.0.verify_digests())
    }

    #[getter]
    fn vk_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.vk.to_bytes())
    }

    #[getter]
    fn vk_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.vk.hash)
    }

    /// The digest in the header, which covers the whole file.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.digest())
    }

    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (key, shape) = (&self.0, &self.0.shape);
        let info = PyDict::new(py);
        info.set_item("system", shape.system.name())?;
        info.set_item("circuit_hash", PyBytes::new(py, &shape.circuit_hash))?;
        info.set_item("digest", PyBytes::new(py, key.digest()))?;
        let counts = [
            ("version", key::VERSION as usize),
            ("n_wires", shape.n_wires),
            ("n_public", shape.n_public),
            ("n_committed", shape.n_committed),
            ("n_rows", shape.n_rows),
            ("instance_length", shape.instance_length),
            ("domain_size", key.domain_size),
            ("file_size", key.as_bytes().len()),
        ];
        for (name, count) in counts {
            info.set_item(name, count)?;
        }
        info.set_item("development", key.development)?;
        Ok(info)
    }

    #[pyo3(signature = (committed, progress = None, memory = None))]
    fn commit(
        &self,
        py: Python<'_>,
        committed: &FrVec,
        progress: Option<Py<PyAny>>,
        memory: Option<usize>,
    ) -> PyResult<Commitment> {
        let (key, values) = (self.0.clone(), committed.0.clone());
        let commitment = run(py, Terms { progress, memory }, move |monitor| key.commit(values, monitor))?;
        Ok(Commitment { d: encode_g1(&commitment.d), inner: Mutex::new(Some(commitment)) })
    }

    /// c for a commitment, an instance and a context.
    fn challenge<'py>(
        &self,
        py: Python<'py>,
        commitment: &Commitment,
        instance_words: &Bound<'py, PyAny>,
        ctx: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let (instance, ctx) = (instance(instance_words)?, word(ctx, "ctx")?);
        let slot = locked(&commitment.inner);
        let inner = slot.as_ref().ok_or_else(|| used("commitment"))?;
        let c = compute(py, 0, || self.0.challenge(inner, &instance, &ctx))?;
        to_int(py, &c)
    }

    /// The bytes of a proof that has been verified. It uses up the commitment.
    #[pyo3(signature = (wires, a, b, c, *, instance, ctx, commitment = None, progress = None, memory = None))]
    #[allow(clippy::too_many_arguments)]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        wires: &FrVec,
        a: &FrVec,
        b: &FrVec,
        c: &FrVec,
        instance: &Bound<'py, PyAny>,
        ctx: &[u8],
        commitment: Option<&Commitment>,
        progress: Option<Py<PyAny>>,
        memory: Option<usize>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (instance, ctx) = (crate::buffers::instance(instance)?, word(ctx, "ctx")?);
        let taken = commitment.map(|d| locked(&d.inner).take().ok_or_else(|| used("commitment"))).transpose()?;
        let proof = run(py, Terms { progress, memory }, |monitor: &dyn zkchain_core::monitor::Monitor| {
            let values = Assignment { wires: &wires.0, a: &a.0, b: &b.0, c: &c.0 };
            self.0.prove(&values, taken, &instance, &ctx, monitor)
        })?;
        Ok(PyBytes::new(py, &proof.to_bytes()))
    }
}

/// D and its secret blinding factor, which serve for one proof.
#[pyclass(frozen, module = "zkchain._core")]
pub struct Commitment {
    d: [u8; 64],
    inner: Mutex<Option<prove::Commitment>>,
}

#[pymethods]
impl Commitment {
    /// D, 64 bytes.
    #[getter]
    fn d<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.d)
    }
}
