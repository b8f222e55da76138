//! Conversions between Python's integers, bytes and arrays and the core's types.

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use zkchain_core::kernel::field::{self, Fr};
use zkchain_core::rows::{Coefficients, Rows};
use zkchain_core::transcript::Word;
use zkchain_core::{Error, Result};

/// r as big-endian bytes.
fn modulus_bytes() -> [u8; 32] {
    // r = (r - 1) + 1, and r - 1 is even.
    let mut bytes = field::to_be(&-Fr::from(1u64));
    bytes[31] += 1;
    bytes
}

fn int_from_be<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    py.get_type::<PyInt>().call_method1("from_bytes", (PyBytes::new(py, bytes), "big"))
}

/// A field element as a Python integer in [0, r).
pub fn to_int<'py>(py: Python<'py>, x: &Fr) -> PyResult<Bound<'py, PyAny>> {
    int_from_be(py, &field::to_be(x))
}

/// Any Python integer, reduced mod r.
pub fn scalar(value: &Bound<'_, PyAny>) -> PyResult<Fr> {
    let value = value.cast::<PyInt>().map_err(|_| PyTypeError::new_err("expected an integer"))?;
    if let Ok(small) = value.extract::<i64>() {
        return Ok(field::fr_from_i64(small));
    }
    let reduced = value.rem(int_from_be(value.py(), &modulus_bytes())?)?;
    let bytes: Vec<u8> = reduced.call_method1("to_bytes", (32, "big"))?.extract()?;
    let word: Word = bytes.try_into().map_err(|_| PyValueError::new_err("integer does not fit 32 bytes"))?;
    Ok(field::reduce_be(&word))
}

/// An integer in [0, r) as an element; None when it is outside. Index types such as numpy integers are welcome.
fn canonical(value: &Bound<'_, PyAny>) -> PyResult<Option<Fr>> {
    let value = value.call_method0("__index__")?;
    if let Ok(small) = value.extract::<u64>() {
        return Ok(Some(Fr::from(small)));
    }
    if value.lt(0)? || value.ge(int_from_be(value.py(), &modulus_bytes())?)? {
        return Ok(None);
    }
    scalar(&value).map(Some)
}

/// A sequence of integers in [0, r): an instance.
pub fn instance(values: &Bound<'_, PyAny>) -> PyResult<Vec<Fr>> {
    let mut out = Vec::new();
    for (i, value) in values.try_iter()?.enumerate() {
        match canonical(&value?)? {
            Some(x) => out.push(x),
            None => {
                let error = Error::ProofFormat(format!("instance: word {i} is not in [0, r)"));
                return Err(crate::errors::to_py(values.py(), error));
            }
        }
    }
    Ok(out)
}

/// Exactly 32 bytes; `what` names them in the error.
pub fn word(bytes: &[u8], what: &str) -> PyResult<Word> {
    let wrong = || PyValueError::new_err(format!("{what}: expected 32 bytes, got {}", bytes.len()));
    bytes.try_into().map_err(|_| wrong())
}

/// The elements of a one-dimensional array (any stride) of exactly this type.
pub fn array<T: Element>(object: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<T>> {
    let wrong = |got: String| {
        PyTypeError::new_err(format!("{what}: expected a 1-d array of {}, got {got}", std::any::type_name::<T>()))
    };
    let buffer = PyBuffer::<T>::get(object).map_err(|e| wrong(e.to_string()))?;
    if buffer.dimensions() != 1 {
        return Err(wrong(format!("{} dimensions", buffer.dimensions())));
    }
    buffer.to_vec(object.py())
}

/// Coefficients of sparse rows, owned.
enum Values {
    Small(Vec<i64>),
    Wide(Vec<u64>),
}

/// Sparse rows copied out of an object with `indptr`, `cols` and `vals` (`zkchain.circuit.Csr`).
pub struct OwnedRows {
    indptr: Vec<i64>,
    cols: Vec<u32>,
    vals: Values,
}

impl OwnedRows {
    pub fn extract(csr: &Bound<'_, PyAny>) -> PyResult<Self> {
        let vals = csr.getattr("vals")?;
        Ok(OwnedRows {
            indptr: array(&csr.getattr("indptr")?, "indptr")?,
            cols: array(&csr.getattr("cols")?, "cols")?,
            vals: match PyBuffer::<i64>::get(&vals) {
                Ok(_) => Values::Small(array(&vals, "vals")?),
                Err(_) => Values::Wide(wide(&vals)?),
            },
        })
    }

    /// The rows, checked for vectors of `width` wires.
    pub fn borrow(&self, width: usize) -> Result<Rows<'_>> {
        let vals = match &self.vals {
            Values::Small(v) => Coefficients::Small(v),
            Values::Wide(v) => Coefficients::Wide(v.as_chunks::<4>().0),
        };
        Rows::new(&self.indptr, &self.cols, vals, width)
    }
}

/// The elements of an array uint64[n, 4], row by row.
fn wide(vals: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let wrong = || PyTypeError::new_err("vals: expected int64[n] or uint64[n, 4]");
    let buffer = PyBuffer::<u64>::get(vals).map_err(|_| wrong())?;
    if buffer.dimensions() != 2 || buffer.shape()[1] != 4 {
        return Err(wrong());
    }
    buffer.to_vec(vals.py())
}
