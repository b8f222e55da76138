//! Ceremonies: their file, and the initial key that everybody can derive.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use zkchain_core::ceremony::contribute::{apply_beacon, contribute, finish};
use zkchain_core::ceremony::file::Ceremony as Opened;
use zkchain_core::ceremony::start::Initial;
use zkchain_core::ceremony::transcript::{Kind, Origin};
use zkchain_core::ceremony::verify;
use zkchain_core::circom::ptau::Ptau;
use zkchain_core::circom::ptau_setup::PtauSetup;
use zkchain_core::circom::r1cs::R1cs;
use zkchain_core::system::{Shape, System};
use zkchain_core::transcript::Word;

use crate::buffers::{word, OwnedRows};
use crate::errors::{guarded, to_py};
use crate::job::run;
use crate::keys::{locked, used};

/// The ceremony in a file, which must not change while it is open.
#[pyclass(frozen, module = "zkchain._core")]
pub struct Ceremony(Arc<Opened>);

fn bytes<'py>(py: Python<'py>, hash: &Word) -> Bound<'py, PyBytes> {
    PyBytes::new(py, hash)
}

#[pymethods]
impl Ceremony {
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = py.detach(|| guarded(|| Opened::open(&path)));
        Ok(Ceremony(Arc::new(opened.map_err(|e| to_py(py, e))?)))
    }

    /// What the transcript says.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (info, head) = (PyDict::new(py), &self.0.head);
        info.set_item("system", head.system.name())?;
        info.set_item("power", head.power)?;
        info.set_item("circuit_hash", bytes(py, &head.circuit_hash))?;
        info.set_item("ptau", bytes(py, &head.ptau))?;
        info.set_item("initial", bytes(py, &head.initial))?;
        info.set_item("start", bytes(py, &head.hash()))?;
        let records: PyResult<Vec<_>> = (0..self.0.records.len()).map(|at| self.record(py, at)).collect();
        info.set_item("contributions", PyList::new(py, records?)?)?;
        Ok(info)
    }

    /// Checks 2 to 5, which need nothing but the file.
    #[pyo3(signature = (progress = None))]
    fn check(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<()> {
        run(py, progress, |monitor| verify::received(&self.0, monitor))
    }

    /// Checks 6 to 8.
    #[pyo3(signature = (initial, progress = None))]
    fn check_against(&self, py: Python<'_>, initial: &InitialKey, progress: Option<Py<PyAny>>) -> PyResult<()> {
        run(py, progress, |monitor| verify::against(&self.0, &initial.0, monitor))
    }

    /// A file with one more contribution at `place`, and the attestation.
    #[pyo3(signature = (place, *, name, typed = Vec::new(), progress = None))]
    fn contribute<'py>(
        &self,
        py: Python<'py>,
        place: PathBuf,
        name: String,
        typed: Vec<u8>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let typed = zeroize::Zeroizing::new(typed);
        let hash = run(py, progress, |monitor| contribute(&self.0, &name, &typed, &place, monitor))?;
        Ok(bytes(py, &hash))
    }

    /// The same with a beacon, whose source has been checked.
    #[pyo3(signature = (place, *, name, kind, source, progress = None))]
    fn beacon<'py>(
        &self,
        py: Python<'py>,
        place: PathBuf,
        name: String,
        kind: &str,
        source: &[u8],
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let kind = if kind == Kind::Drand.name() { Kind::Drand } else { Kind::Hash };
        let origin = Origin::new(kind, &name, source).map_err(|e| to_py(py, e))?;
        let hash = run(py, progress, |monitor| apply_beacon(&self.0, origin, &place, monitor))?;
        Ok(bytes(py, &hash))
    }

    /// The key at `place`, with or without the mark of a development key.
    #[pyo3(signature = (place, *, development))]
    fn finish(&self, py: Python<'_>, place: PathBuf, development: bool) -> PyResult<()> {
        run(py, None, |_| finish(&self.0, &place, development))
    }
}

impl Ceremony {
    fn record<'py>(&self, py: Python<'py>, at: usize) -> PyResult<Bound<'py, PyDict>> {
        let (record, out) = (&self.0.records[at], PyDict::new(py));
        out.set_item("kind", record.origin.kind.name())?;
        out.set_item("name", &record.origin.name)?;
        out.set_item("source", PyBytes::new(py, &record.origin.source))?;
        out.set_item("attestation", bytes(py, &self.0.transcripts[at + 1]))?;
        out.set_item("record", PyBytes::new(py, &record.to_bytes(self.0.head.system)))?;
        Ok(out)
    }
}

/// The key with delta = eta = 1 of a circuit on powers of tau.
#[pyclass(frozen, module = "zkchain._core")]
pub struct InitialKey(Initial);

#[pymethods]
impl InitialKey {
    /// The initial key for the constraints of an .r1cs file.
    #[staticmethod]
    #[pyo3(signature = (r1cs, ptau, *, ptau_digest, progress = None))]
    fn of_r1cs(
        py: Python<'_>,
        r1cs: &[u8],
        ptau: PathBuf,
        ptau_digest: &[u8],
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let digest = word(ptau_digest, "ptau_digest")?;
        let powers = py.detach(|| guarded(|| Ptau::open(&ptau))).map_err(|e| to_py(py, e))?;
        let initial = run(py, progress, |monitor| {
            let r1cs = R1cs::parse(r1cs)?;
            let mut setup = PtauSetup::new(&powers, r1cs.shape(), monitor)?;
            r1cs.for_each_block(|rows| setup.add_rows(rows))?;
            Initial::derive(setup, digest, monitor)
        })?;
        Ok(InitialKey(initial))
    }

    /// The digest of the key.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.head().initial)
    }

    /// Writes a ceremony without contributions to a new file, and returns its transcript.
    fn start<'py>(&self, py: Python<'py>, place: PathBuf) -> PyResult<Bound<'py, PyBytes>> {
        let hash = run(py, None, |_| self.0.start(&place))?;
        Ok(bytes(py, &hash))
    }
}

/// Collects streamed rows, then derives the initial key.
#[pyclass(frozen, module = "zkchain._core")]
pub struct InitialBuilder(Mutex<Option<PtauSetup<Arc<Ptau>>>>, Word);

#[pymethods]
impl InitialBuilder {
    #[new]
    #[pyo3(signature = (ptau, *, ptau_digest, system, n_wires, n_public, n_committed, n_rows, instance_length,
                        circuit_hash, progress = None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        ptau: PathBuf,
        ptau_digest: &[u8],
        system: &str,
        n_wires: usize,
        n_public: usize,
        n_committed: usize,
        n_rows: usize,
        instance_length: usize,
        circuit_hash: &[u8],
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let (circuit_hash, digest) = (word(circuit_hash, "circuit_hash")?, word(ptau_digest, "ptau_digest")?);
        let system = System::from_name(system).map_err(|e| to_py(py, e))?;
        let shape = Shape { system, n_wires, n_public, n_committed, n_rows, instance_length, circuit_hash };
        let powers = py.detach(|| guarded(|| Ptau::open(&ptau))).map_err(|e| to_py(py, e))?;
        let setup = run(py, progress, |monitor| PtauSetup::new(Arc::new(powers), shape, monitor))?;
        Ok(InitialBuilder(Mutex::new(Some(setup)), digest))
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
        let setup = slot.as_mut().ok_or_else(|| used("builder"))?;
        let width = setup.shape().n_wires;
        run(py, None, move |_| setup.add_rows([a.borrow(width)?, b.borrow(width)?, c.borrow(width)?]))
    }

    #[pyo3(signature = (progress = None))]
    fn finish(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<InitialKey> {
        let setup = locked(&self.0).take().ok_or_else(|| used("builder"))?;
        Ok(InitialKey(run(py, progress, |monitor| Initial::derive(setup, self.1, monitor))?))
    }
}
