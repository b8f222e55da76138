//! Runs the core's work with the GIL released, while the calling thread reports progress and listens to signals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use pyo3::prelude::*;
use zkchain_core::monitor::Monitor;
use zkchain_core::pool;
use zkchain_core::{Error, Result};

use crate::errors::{guarded, to_py};

/// How often signals (Ctrl-C) are checked while work runs.
const TICK: Duration = Duration::from_millis(50);

type Step = (&'static str, f64);

struct Reporter<'a> {
    steps: Sender<Step>,
    stop: &'a AtomicBool,
    memory: Option<usize>,
}

impl Monitor for Reporter<'_> {
    fn report(&self, stage: &'static str, fraction: f64) {
        // Nobody listens any more once the caller has given up.
        let _ = self.steps.send((stage, fraction));
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn memory(&self) -> Option<usize> {
        self.memory
    }
}

/// How a job is watched: who hears of its progress, and what it may hold (`Monitor::memory`).
#[derive(Default)]
pub struct Terms {
    pub progress: Option<Py<PyAny>>,
    pub memory: Option<usize>,
}

impl From<Option<Py<PyAny>>> for Terms {
    fn from(progress: Option<Py<PyAny>>) -> Self {
        Terms { progress, memory: None }
    }
}

/// Runs `work` on the private pool with the GIL released. `progress(stage, fraction)` is called on this thread; an
/// exception from it, or a signal, stops the work and is raised.
pub fn run<T: Send>(
    py: Python<'_>,
    terms: impl Into<Terms>,
    work: impl FnOnce(&dyn Monitor) -> Result<T> + Send,
) -> PyResult<T> {
    let Terms { progress, memory } = terms.into();
    let stop = AtomicBool::new(false);
    let (steps, heard) = channel();
    let reporter = Reporter { steps, stop: &stop, memory };
    let stop_ref = &stop;
    let (outcome, result) = py.detach(move || {
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || guarded(|| pool::run(|| work(&reporter))?));
            let outcome = attend(&heard, progress.as_ref(), stop_ref);
            (outcome, worker.join().unwrap_or_else(|_| Err(Error::Internal("worker thread died".into()))))
        })
    });
    outcome?;
    result.map_err(|error| to_py(py, error))
}

/// Passes steps on until the worker is done. On an exception sets `stop` and returns the exception.
fn attend(heard: &Receiver<Step>, progress: Option<&Py<PyAny>>, stop: &AtomicBool) -> PyResult<()> {
    loop {
        let steps = match heard.recv_timeout(TICK) {
            Ok(step) => newest_of_each_stage(step, heard.try_iter()),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let tell = |py: Python<'_>| -> PyResult<()> {
            py.check_signals()?;
            let Some(callback) = progress else { return Ok(()) };
            steps.iter().try_for_each(|step| callback.call1(py, *step).map(drop))
        };
        if let Err(error) = Python::attach(tell) {
            stop.store(true, Ordering::Relaxed);
            return Err(error);
        }
    }
}

/// The steps in order; of several steps of one stage that are waiting, only the last one is of interest.
fn newest_of_each_stage(first: Step, waiting: impl Iterator<Item = Step>) -> Vec<Step> {
    let mut steps = vec![first];
    for step in waiting {
        match steps.last_mut() {
            Some(last) if last.0 == step.0 => *last = step,
            _ => steps.push(step),
        }
    }
    steps
}

/// Runs a short computation over `size` elements: on the calling thread when it is small, else on the pool with the GIL
/// released.
pub fn compute<T: Send>(py: Python<'_>, size: usize, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    let result = if size <= pool::SERIAL_BELOW { guarded(work) } else { py.detach(|| guarded(|| pool::run(work)?)) };
    result.map_err(|error| to_py(py, error))
}
