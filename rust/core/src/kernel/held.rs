//! Point arrays copied to huge pages for the time of a multi-scalar multiplication.
//!
//! Every window reads the points in the order of its digits, which is random: past the reach of the second-level address
//! cache (2048 pages of 4 KiB) each read of a mapped key file walks the page tables first. One copy in order costs less
//! than the walks of one window out of sixteen.

use std::marker::PhantomData;

use memmap2::MmapMut;
use rayon::prelude::*;

use super::point::Point;

/// Arrays of fewer bytes stay where they are.
const LEAST_BYTES: usize = 8 << 20;
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

#[cfg(target_os = "linux")]
fn copied<'a, P: Point>(points: &[P]) -> Option<Held<'a, P>> {
    let mut map = MmapMut::map_anon(size_of_val(points)).ok()?;
    map.advise(memmap2::Advice::HugePage).ok()?;
    let copy: &mut [P] = bytemuck::try_cast_slice_mut(&mut map).ok()?;
    copy.par_chunks_mut(PIECE).zip(points.par_chunks(PIECE)).for_each(|(to, from)| to.copy_from_slice(from));
    Some(Held::Copied(map, PhantomData))
}

#[cfg(not(target_os = "linux"))]
fn copied<'a, P: Point>(_points: &[P]) -> Option<Held<'a, P>> {
    None
}
