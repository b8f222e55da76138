//! How long work reports progress and hears that it should stop, or how much memory it may take.

use crate::error::{Error, Result};

/// Receives progress and answers whether the work should go on. Called from worker threads.
pub trait Monitor: Sync {
    /// `fraction` in [0, 1] of `stage` is done.
    fn report(&self, stage: &'static str, fraction: f64);
    /// True once the work should stop.
    fn cancelled(&self) -> bool;
    /// Bytes that the process should hold at most, beside mapped files. None: as much as is quickest.
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

/// Never reports and never stops.
pub struct Silent;

impl Monitor for Silent {
    fn report(&self, _stage: &'static str, _fraction: f64) {}

    fn cancelled(&self) -> bool {
        false
    }
}
