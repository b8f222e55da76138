//! Memory: large buffers on huge pages, and what work may hold when it is bounded.

use bytemuck::Pod;
use memmap2::MmapMut;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::monitor::Monitor;

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

/// Buffers of fewer bytes are left to the allocator.
const LEAST_BUFFER: usize = 1 << 20;

/// Zeroed memory on huge pages; None where there are none.
fn huge(bytes: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    map.advise(memmap2::Advice::HugePage).ok()?;
    cfg!(target_os = "linux").then_some(map)
}

/// Values on huge pages when there are many.
pub struct Buffer<T> {
    small: Vec<T>,
    large: Option<MmapMut>,
    len: usize,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer { small: Vec::new(), large: None, len: 0 }
    }
}

impl<T: Pod> Buffer<T> {
    /// `len` values, whatever they are.
    pub fn resize(&mut self, len: usize) -> &mut [T] {
        let bytes = len * size_of::<T>();
        if bytes >= LEAST_BUFFER && self.large.as_ref().is_none_or(|map| map.len() < bytes) {
            self.large = huge(bytes);
        }
        if self.large.is_none() && self.small.len() < len {
            self.small.resize(len, T::zeroed());
        }
        self.len = len;
        let held: &mut [T] = match &mut self.large {
            Some(map) => bytemuck::cast_slice_mut(&mut map[..bytes]),
            None => &mut self.small,
        };
        &mut held[..len]
    }

    /// As many as were asked for last.
    pub fn values(&self) -> &[T] {
        let held: &[T] = match &self.large {
            Some(map) => bytemuck::cast_slice(&map[..self.len * size_of::<T>()]),
            None => &self.small,
        };
        &held[..self.len]
    }
}
