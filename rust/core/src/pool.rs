//! The crate's private thread pool.

use std::sync::{Arc, Mutex};

use rayon::ThreadPool;

use crate::error::{Error, Result};

/// A loop of fewer field operations than this stays on the calling thread: handing it out would take longer.
pub const SERIAL_BELOW: usize = 1 << 11;

/// The pool, and the process that made it. After a fork the threads exist in the parent only, so the child makes its
/// own.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Asking for more threads than this is a mistake, unless the machine offers more.
const MOST_THREADS: usize = 256;

/// The number of threads: `ZKCHAIN_THREADS`, or as many as the machine offers. Errors: it is not a number in range.
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
                // Dropping the parent's pool would wait for threads that do not exist in this process.
                std::mem::forget(stale);
            }
            Ok(pool)
        }
    }
}

/// Runs `work` on the private pool; it may use rayon freely. Errors: ZKCHAIN_KERNEL does not name a kernel of this
/// machine, or ZKCHAIN_THREADS is not a number of threads.
pub fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    crate::kernel::check()?;
    Ok(pool()?.install(work))
}
