//! The one place where the core's errors become exceptions of `zkchain.errors`, or Python's own where an API is
//! misused.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyValueError, PyZeroDivisionError};
use pyo3::prelude::*;
use zkchain_core::{Error, Result};

/// An exception of `zkchain.errors` by name.
fn ours<'py>(py: Python<'py>, class: &str, arguments: impl PyCallArgs<'py>) -> PyErr {
    let make = || py.import("zkchain.errors")?.getattr(class)?.call1(arguments);
    match make() {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

fn os_error(error: &std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(code) => PyOSError::new_err((code, error.to_string())),
        None => PyOSError::new_err(error.to_string()),
    }
}

pub fn to_py(py: Python<'_>, error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::KeyFormat(_) => ours(py, "KeyFormatError", (message,)),
        Error::Format(_) => ours(py, "FormatError", (message,)),
        Error::KeyMismatch(_) => ours(py, "KeyMismatch", (message,)),
        Error::ProofFormat(_) => ours(py, "ProofFormatError", (message,)),
        Error::UnsafeKey(_) => ours(py, "UnsafeKey", (message,)),
        Error::ProofInvalid => ours(py, "ProofInvalid", (message,)),
        Error::BatchInvalid { bad, total } => ours(py, "BatchInvalid", (bad, total)),
        // The core knows the row only; the wrapper that knows the circuit names node and element.
        Error::Unsatisfied { row } => ours(py, "UnsatisfiedConstraint", (row, "", 0)),
        Error::Witness(_) => ours(py, "InputError", (message,)),
        Error::Memory(_) => ours(py, "MemoryTooSmall", (message,)),
        Error::Setting(_) => ours(py, "SettingError", (message,)),
        Error::Internal(_) => ours(py, "ZkchainError", (message,)),
        Error::Argument(_) => PyValueError::new_err(message),
        Error::DivisionByZero { .. } => PyZeroDivisionError::new_err(message),
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
        Error::Io(error) => os_error(&error),
    }
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

/// Runs `work`; a panic becomes `Error::Internal`.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(Error::Internal(panic_text(payload))))
}
