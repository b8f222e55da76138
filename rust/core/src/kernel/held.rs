//! Buffers on huge pages, for what is read or written in no order: past the reach of the second-level address cache (2048
//! pages of 4 KiB) every access walks the page tables first.

use bytemuck::Pod;
use memmap2::MmapMut;

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
