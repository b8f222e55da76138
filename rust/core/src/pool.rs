//! The crate's private thread pool.

use std::sync::{Arc, Mutex};

use rayon::ThreadPool;

use crate::error::{Error, Result};

/// Below this many field operations a loop stays on the calling thread.
pub const SERIAL_BELOW: usize = 1 << 11;

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
