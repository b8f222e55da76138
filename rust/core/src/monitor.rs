//! What long work asks of its caller: to hear of its progress, whether to go on, and how much memory it may hold.

use crate::error::{Error, Result};

/// Watches a piece of work. It is called from worker threads.
pub trait Monitor: Sync {
    /// Hears that `fraction`, in [0, 1], of `stage` is done.
    fn report(&self, stage: &'static str, fraction: f64);
    /// True once the work should stop.
    fn cancelled(&self) -> bool;
    /// The most bytes that the process should hold beside mapped files. None: as many as make the work quickest.
    fn memory(&self) -> Option<usize> {
        None
    }

    /// `Err(Cancelled)` once the work should stop.
    fn check(&self) -> Result<()> {
        if self.cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Reports `fraction` of `stage`, or stops.
    fn step(&self, stage: &'static str, fraction: f64) -> Result<()> {
        self.check()?;
        self.report(stage, fraction);
        Ok(())
    }
}

/// Listens to nothing, never stops the work and bounds no memory.
pub struct Silent;

impl Monitor for Silent {
    fn report(&self, _stage: &'static str, _fraction: f64) {}

    fn cancelled(&self) -> bool {
        false
    }
}
