//! Memory: large buffers on huge pages, and how much work may hold when memory is bounded.

use bytemuck::Zeroable;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::monitor::Monitor;

/// Vectors of fewer bytes have no room for a whole huge page and are left to the allocator.
const HUGE_PAGE: usize = 2 << 20;

/// An empty vector with room for n values, on huge pages when it is large.
///
/// Two costs fall by the factor 512: a new buffer is handed out page by page as it is first written, each page at the
/// cost of a fault, and beyond the reach of the L2 TLB (2048 pages on current machines) every random access costs a
/// page walk.
pub fn with_room<T>(n: usize) -> Vec<T> {
    let vector = Vec::with_capacity(n);
    if n * size_of::<T>() >= HUGE_PAGE {
        advise_huge(&vector);
    }
    vector
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

/// f(0) .. f(n - 1), computed in parallel.
pub fn collect<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    let mut out = Vec::new();
    collect_into(&mut out, n, f);
    out
}

/// The same into a vector that is used again.
pub fn collect_into<T: Send>(out: &mut Vec<T>, n: usize, f: impl Fn(usize) -> T + Sync + Send) {
    if out.capacity() < n {
        *out = with_room(n);
    }
    (0..n).into_par_iter().with_min_len(1 << 12).map(f).collect_into_vec(out);
}

/// The first n values of a buffer that is used again, to be overwritten; a buffer that is too short is replaced.
pub fn scratch<T: Copy + Zeroable>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    if buffer.len() < n {
        *buffer = with_room(n);
        buffer.resize(n, T::zeroed());
    }
    &mut buffer[..n]
}

/// The bytes that the process holds beside mapped files; None where the system does not tell.
pub fn held_memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kib| kib << 10)
}

/// Trims the heap, and makes the allocator unmap large blocks as soon as they are freed. Otherwise freed memory would
/// stay with the process for later use, and `held_memory` would count it.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the arguments are numbers only; both calls may come from any thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 17);
        libc::malloc_trim(0);
    }
}

/// The bytes that some work holds: so many for each item, and so many however few the items are.
#[derive(Clone, Copy)]
pub struct Footprint {
    pub per_item: usize,
    pub fixed: usize,
}

impl Footprint {
    pub fn of(self, count: usize) -> usize {
        self.fixed + count * self.per_item
    }
}

/// How many of `count` items to work on at a time, so that the monitor's bound on memory holds; all, if there is none.
/// Errors: the bound leaves no room for `least` items.
pub fn tile(monitor: &dyn Monitor, stage: &str, count: usize, footprint: Footprint, least: usize) -> Result<usize> {
    let Some(room) = room_for(monitor, stage, footprint.of(count.min(least)))? else { return Ok(count.max(1)) };
    Ok(count.min((room - footprint.fixed) / footprint.per_item).max(1))
}

/// The bytes that may still be held, or None if there is no bound. Errors: they are fewer than `bytes`.
pub fn room_for(monitor: &dyn Monitor, stage: &str, bytes: usize) -> Result<Option<usize>> {
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
