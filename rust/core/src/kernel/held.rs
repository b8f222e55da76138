//! Huge pages: buffers on them, and point arrays copied to them for the time of a multi-scalar multiplication.
//!
//! Every window reads the points in the order of its digits, which is random: past the reach of the second-level address
//! cache (2048 pages of 4 KiB) each read of a mapped key file walks the page tables first. One copy in order costs less
//! than the walks of one window out of sixteen.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;
use rayon::prelude::*;

use super::point::Point;

/// Arrays of fewer bytes stay where they are.
const LEAST_BYTES: usize = 8 << 20;
/// Buffers of fewer bytes are left to the allocator.
const LEAST_BUFFER: usize = 1 << 20;
/// Points copied in one piece of parallel work.
const PIECE: usize = 1 << 13;

/// An array of points, as given or as a copy.
pub enum Held<'a, P> {
    Given(&'a [P]),
    Copied(MmapMut, PhantomData<P>),
}

impl<'a, P: Point> Held<'a, P> {
    /// A copy when the array is large, huge pages are to be had and there is memory; else the array itself.
    pub fn new(points: &'a [P]) -> Self {
        if size_of_val(points) < LEAST_BYTES {
            return Held::Given(points);
        }
        copied(points).unwrap_or(Held::Given(points))
    }

    pub fn points(&self) -> &[P] {
        match self {
            Held::Given(points) => points,
            Held::Copied(map, _) => bytemuck::cast_slice(map),
        }
    }
}

/// Zeroed memory on huge pages; None where there are none.
fn huge(bytes: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    map.advise(memmap2::Advice::HugePage).ok()?;
    cfg!(target_os = "linux").then_some(map)
}

fn copied<'a, P: Point>(points: &[P]) -> Option<Held<'a, P>> {
    let mut map = huge(size_of_val(points))?;
    let copy: &mut [P] = bytemuck::try_cast_slice_mut(&mut map).ok()?;
    copy.par_chunks_mut(PIECE).zip(points.par_chunks(PIECE)).for_each(|(to, from)| to.copy_from_slice(from));
    Some(Held::Copied(map, PhantomData))
}

/// Values that are written in no order: on huge pages when there are many.
#[derive(Default)]
pub struct Buffer<T> {
    small: Vec<T>,
    large: Option<MmapMut>,
    len: usize,
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
