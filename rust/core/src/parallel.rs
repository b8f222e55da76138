//! The crate's private thread pool, and how long work reports progress and hears that it should stop.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use rayon::ThreadPool;

use crate::error::{Error, Result};

/// Below this many field operations a loop stays on the calling thread.
pub const SERIAL_BELOW: usize = 1 << 11;

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

/// Bytes that the process holds beside mapped files; None where the system does not tell.
pub fn held_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kib| kib << 10)
}

/// Returns what has been freed to the system, and has large buffers returned from now on as soon as they are freed: the
/// allocator would keep them for later, and `held_memory` count them.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: numbers only; both calls may come from any thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 17);
        libc::malloc_trim(0);
    }
}

/// Vectors of fewer bytes are left to the allocator.
const LARGE: usize = 4 << 20;

/// f(0) .. f(n - 1), computed in parallel, on huge pages when they are many: memory is given out 2 MiB
/// at a time instead of 4 KiB.
pub fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    let mut out = Vec::with_capacity(n);
    if n * size_of::<T>() >= LARGE {
        advise_huge(&out);
    }
    (0..n).into_par_iter().with_min_len(1 << 12).map(f).collect_into_vec(&mut out);
    out
}

fn advise_huge<T>(vector: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 1 << 12;
        let start = vector.as_ptr() as usize;
        let (first, end) = (start.next_multiple_of(PAGE), (start + vector.capacity() * size_of::<T>()) / PAGE * PAGE);
        // SAFETY: whole pages within the vector's own memory, whose content the advice does not touch.
        unsafe { libc::madvise(first as *mut libc::c_void, end.saturating_sub(first), libc::MADV_HUGEPAGE) };
    }
    let _ = vector;
}

/// What work holds in memory: bytes for each item, and bytes whatever their number.
#[derive(Clone, Copy)]
pub struct Holds {
    pub each: usize,
    pub besides: usize,
}

impl Holds {
    pub fn of(self, count: usize) -> usize {
        self.besides + count * self.each
    }
}

/// How many of `count` items to work on at a time, `least` at least, so that the monitor's bound on memory holds.
/// Errors: the bound leaves no room for `least`.
pub fn tile(monitor: &dyn Monitor, stage: &str, count: usize, holds: Holds, least: usize) -> Result<usize> {
    let Some(room) = fit(monitor, stage, holds.of(count.min(least)))? else { return Ok(count.max(1)) };
    Ok(count.min((room - holds.besides) / holds.each).max(1))
}

/// The bytes that may still be held, if there is a bound. Errors: they are fewer than `bytes`.
pub fn fit(monitor: &dyn Monitor, stage: &str, bytes: usize) -> Result<Option<usize>> {
    let Some(bound) = monitor.memory() else { return Ok(None) };
    give_back();
    let held = held_memory().unwrap_or(0);
    let room = bound.saturating_sub(held);
    if room < bytes {
        let least = (held + bytes).div_ceil(1 << 20);
        let text =
            format!("{stage}: a memory bound of {} MiB is too small: it takes at least {least} MiB", bound >> 20);
        return Err(Error::Memory(text));
    }
    Ok(Some(room))
}

/// Never reports and never stops.
pub struct Silent;

impl Monitor for Silent {
    fn report(&self, _stage: &'static str, _fraction: f64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// A pool belongs to the process that made it: after a fork its threads are gone, so a new one is made.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// More threads than this are a mistake, unless the machine has more.
const MOST_THREADS: usize = 256;

/// Threads to use: `ZKCHAIN_THREADS`, else all the machine offers. Errors: it is no number in range.
fn thread_count() -> Result<usize> {
    let offered = std::thread::available_parallelism().map_or(1, |n| n.get());
    let text = std::env::var("ZKCHAIN_THREADS").unwrap_or_default();
    if text.is_empty() {
        return Ok(offered);
    }
    let most = MOST_THREADS.max(offered);
    let asked = text.parse().ok().filter(|n| (1..=most).contains(n));
    asked.ok_or_else(|| Error::Setting(format!("ZKCHAIN_THREADS: expected 1 to {most} threads, got {text:?}")))
}

fn pool() -> Result<Arc<ThreadPool>> {
    let mut slot = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let pid = std::process::id();
    match &*slot {
        Some((owner, pool)) if *owner == pid => Ok(pool.clone()),
        _ => {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(thread_count()?)
                .thread_name(|i| format!("zkchain-{i}"))
                .build()
                .map_err(|e| Error::Internal(format!("cannot start worker threads: {e}")))?;
            let pool = Arc::new(pool);
            if let Some((_, stale)) = slot.replace((pid, pool.clone())) {
                // The forked child must not join threads that do not exist here.
                std::mem::forget(stale);
            }
            Ok(pool)
        }
    }
}

/// Runs `work` on the private pool. `work` may use rayon freely. Errors: ZKCHAIN_KERNEL names no kernel of
/// this machine, ZKCHAIN_THREADS no number of threads.
pub fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    crate::kernel::check()?;
    Ok(pool()?.install(work))
}
