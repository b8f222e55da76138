//! Running core work away from the interpreter: GIL released, progress reported and signals heard on the calling thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use pyo3::prelude::*;
use zkchain_core::parallel::{self, Monitor};
use zkchain_core::{Error, Result};

use crate::errors::{guarded, to_py};

/// How often signals (Ctrl-C) are looked at while work runs.
const TICK: Duration = Duration::from_millis(50);

type Step = (&'static str, f64);

struct Reporter<'a> {
    steps: Sender<Step>,
    stop: &'a AtomicBool,
}

impl Monitor for Reporter<'_> {
    fn report(&self, stage: &'static str, fraction: f64) {
        // Nobody listens any more once the caller has given up.
        let _ = self.steps.send((stage, fraction));
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Runs `work` on the private pool with the GIL released. `progress(stage, fraction)` is called on this thread; an
/// exception from it, or a signal, stops the work and is raised.
pub fn run<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&dyn Monitor) -> Result<T> + Send,
) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let (steps, heard) = channel();
    let reporter = Reporter { steps, stop: &stop };
    let stop_ref = &stop;
    let (outcome, result) = py.detach(move || {
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || guarded(|| parallel::run(|| work(&reporter))?));
            let outcome = attend(&heard, progress.as_ref(), stop_ref);
            (outcome, worker.join().unwrap_or_else(|_| Err(Error::Internal("worker thread died".into()))))
        })
    });
    outcome?;
    result.map_err(|error| to_py(py, error))
}

/// Passes steps on until the worker is done; on an exception sets `stop` and returns it.
fn attend(heard: &Receiver<Step>, progress: Option<&Py<PyAny>>, stop: &AtomicBool) -> PyResult<()> {
    loop {
        let step = match heard.recv_timeout(TICK) {
            Ok(step) => heard.try_iter().last().or(Some(step)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let tell = |py: Python<'_>| -> PyResult<()> {
            py.check_signals()?;
            if let (Some(callback), Some(step)) = (progress, step) {
                callback.call1(py, step)?;
            }
            Ok(())
        };
        if let Err(error) = Python::attach(tell) {
            stop.store(true, Ordering::Relaxed);
            return Err(error);
        }
    }
}

/// Runs a short computation over `size` elements: in place when small, else on the pool with the GIL released.
pub fn compute<T: Send>(py: Python<'_>, size: usize, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let result =
        if size <= parallel::SERIAL_BELOW { guarded(work) } else { py.detach(|| guarded(|| parallel::run(work)?)) };
    result.map_err(|error| to_py(py, error))
}
