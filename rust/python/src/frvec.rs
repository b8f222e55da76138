//! `FrVec`: an immutable vector of scalar field elements.

use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList, PySlice};
use zkchain_core::frvec::{self, Op};
use zkchain_core::kernel::field::{self, Fr};
use zkchain_core::Result;

use crate::buffers::{array, scalar, to_int, OwnedRows};
use crate::job::compute;

#[pyclass(frozen, module = "zkchain._core")]
pub struct FrVec(pub Arc<Vec<Fr>>);

impl FrVec {
    pub fn new(values: Vec<Fr>) -> Self {
        FrVec(Arc::new(values))
    }

    fn derive(&self, py: Python<'_>, f: impl FnOnce(&[Fr]) -> Result<Vec<Fr>> + Send) -> PyResult<Self> {
        compute(py, self.0.len(), || f(&self.0)).map(FrVec::new)
    }
}

/// The right operand: another vector, or an integer as a vector of length one.
fn operand(value: &Bound<'_, PyAny>) -> PyResult<Arc<Vec<Fr>>> {
    if let Ok(vector) = value.cast::<FrVec>() {
        return Ok(vector.get().0.clone());
    }
    match value.cast::<PyInt>() {
        Ok(_) => Ok(Arc::new(vec![scalar(value)?])),
        Err(_) => Err(PyTypeError::new_err("expected FrVec or int")),
    }
}

fn combine(py: Python<'_>, op: Op, a: &[Fr], b: &[Fr]) -> PyResult<FrVec> {
    compute(py, a.len().max(b.len()), || frvec::combine(op, a, b)).map(FrVec::new)
}

#[pymethods]
impl FrVec {
    #[staticmethod]
    fn from_i64(py: Python<'_>, values: &Bound<'_, PyAny>) -> PyResult<Self> {
        let values: Vec<i64> = array(values, "from_i64")?;
        compute(py, values.len(), || Ok(frvec::from_i64(&values))).map(FrVec::new)
    }

    #[staticmethod]
    fn from_ints(values: &Bound<'_, PyAny>) -> PyResult<Self> {
        let reduced: PyResult<Vec<Fr>> = values.try_iter()?.map(|v| scalar(&v?.call_method0("__index__")?)).collect();
        Ok(FrVec::new(reduced?))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        compute(py, data.len() / field::BYTES, || frvec::from_bytes(data)).map(FrVec::new)
    }

    #[staticmethod]
    fn full(value: &Bound<'_, PyAny>, length: usize) -> PyResult<Self> {
        Ok(FrVec::new(vec![scalar(value)?; length]))
    }

    #[staticmethod]
    fn powers(py: Python<'_>, base: &Bound<'_, PyAny>, length: usize) -> PyResult<Self> {
        let base = scalar(base)?;
        compute(py, length, || Ok(field::powers(base, length))).map(FrVec::new)
    }

    #[staticmethod]
    fn concat(parts: Vec<PyRef<'_, FrVec>>) -> Self {
        let slices: Vec<&[Fr]> = parts.iter().map(|part| part.0.as_slice()).collect();
        FrVec::new(slices.concat())
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = compute(py, self.0.len(), || Ok(frvec::to_bytes(&self.0)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn to_ints<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let ints: PyResult<Vec<_>> = self.0.iter().map(|x| to_int(py, x)).collect();
        PyList::new(py, ints?)
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("FrVec(len={})", self.0.len())
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let length = self.0.len() as isize;
        if let Ok(slice) = key.cast::<PySlice>() {
            let range = slice.indices(length)?;
            let at = |i: usize| self.0[(range.start + i as isize * range.step) as usize];
            let values = match range.step {
                1 => self.0[range.start as usize..][..range.slicelength].to_vec(),
                _ => (0..range.slicelength).map(at).collect(),
            };
            return Ok(Bound::new(py, FrVec::new(values))?.into_any());
        }
        let index: isize = key.extract()?;
        let wrapped = if index < 0 { index + length } else { index };
        match usize::try_from(wrapped).ok().and_then(|i| self.0.get(i)) {
            Some(x) => to_int(py, x),
            None => Err(PyIndexError::new_err(format!("index {index} is outside a vector of {length}"))),
        }
    }

    fn take(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Self> {
        let index: Vec<i64> = array(index, "take")?;
        compute(py, index.len(), || frvec::take(&self.0, &index)).map(FrVec::new)
    }

    fn __add__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        combine(py, Op::Add, &self.0, &operand(other)?)
    }

    fn __radd__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        combine(py, Op::Add, &operand(other)?, &self.0)
    }

    fn __sub__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        combine(py, Op::Sub, &self.0, &operand(other)?)
    }

    fn __rsub__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        combine(py, Op::Sub, &operand(other)?, &self.0)
    }

    fn __mul__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        combine(py, Op::Mul, &self.0, &operand(other)?)
    }

    fn __rmul__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        combine(py, Op::Mul, &operand(other)?, &self.0)
    }

    fn __neg__(&self, py: Python<'_>) -> PyResult<Self> {
        self.derive(py, |v| Ok(frvec::negate(v)))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<FrVec>().is_ok_and(|o| o.get().0 == self.0)
    }

    fn inverse(&self, py: Python<'_>) -> PyResult<Self> {
        self.derive(py, frvec::inverse)
    }

    fn prefix_product(&self, py: Python<'_>) -> PyResult<Self> {
        self.derive(py, |v| Ok(frvec::prefix_product(v)))
    }

    fn prefix_sum(&self, py: Python<'_>) -> PyResult<Self> {
        self.derive(py, |v| Ok(frvec::prefix_sum(v)))
    }

    fn horner_prefix(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<Self> {
        let x = scalar(x)?;
        self.derive(py, |v| Ok(frvec::horner_prefix(v, &x)))
    }

    fn sum<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_int(py, &compute(py, self.0.len(), || Ok(frvec::sum(&self.0)))?)
    }

    fn dot<'py>(&self, py: Python<'py>, other: &FrVec) -> PyResult<Bound<'py, PyAny>> {
        to_int(py, &compute(py, self.0.len(), || frvec::dot(&self.0, &other.0))?)
    }

    fn spmv(&self, py: Python<'_>, csr: &Bound<'_, PyAny>) -> PyResult<Self> {
        let rows = OwnedRows::extract(csr)?;
        compute(py, self.0.len(), || Ok(rows.borrow(self.0.len())?.multiply(&self.0))).map(FrVec::new)
    }

    /// Where the elements are equal: a numpy array of bool.
    fn eq_mask<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let other = operand(other)?;
        let mask = compute(py, self.0.len(), || frvec::equal(&self.0, &other))?;
        py.import("numpy")?.call_method1("frombuffer", (PyBytes::new(py, &mask), "bool"))
    }
}
