//! Points of one window, grouped by digit: a counting sort (D. E. Knuth, The Art of Computer Programming, volume 3,
//! section 5.2, algorithm D), in two passes when there are many buckets (radix sort, section 5.2.5).

use crate::memory::scratch;

/// Up to this many buckets are sorted into in one pass.
const ONE_PASS: usize = 512;

/// Points of a window, grouped by |digit|. The buffers are used again for the next window.
#[derive(Default)]
pub struct Sorted {
    /// place * 2 + sign of every point, group after group, that of digit 0 first.
    refs: Vec<u32>,
    /// The length of the group of each |digit|.
    counts: Vec<u32>,
    /// After the first of two passes: [|digit|, ref] by blocks of digits.
    blocks: Vec<[u32; 2]>,
    /// How many of `refs` belong to this window.
    total: usize,
}

impl Sorted {
    /// Sorts numbers (place * 2 + sign) by |raw - half| <= buckets. The sign of a digit changes that of its number.
    pub fn sort<'a>(&mut self, buckets: usize, half: i32, parts: impl Iterator<Item = (&'a [u32], &'a [u16])> + Clone) {
        let entry = move |(which, raw): (&u32, &u16)| {
            let digit = i32::from(*raw) - half;
            (digit.unsigned_abs(), which ^ (digit as u32 >> 31))
        };
        let entries = parts.clone().flat_map(|(which, raw)| which.iter().zip(raw)).map(entry);
        self.total = parts.map(|(which, _)| which.len()).sum();
        self.counts.clear();
        self.counts.resize(buckets + 1, 0);
        let refs = scratch(&mut self.refs, self.total);
        if buckets <= ONE_PASS {
            entries.clone().for_each(|(digit, _)| self.counts[digit as usize] += 1);
            scatter(&mut starts(&self.counts), refs, entries, |entry| entry);
        } else {
            two_passes(&mut self.counts, scratch(&mut self.blocks, self.total), refs, entries);
        }
    }

    /// The refs of |digit| = 1, 2 .., group after group, and the lengths of the groups.
    pub fn groups(&self) -> (&[u32], &[u32]) {
        (&self.refs[self.counts[0] as usize..self.total], &self.counts[1..])
    }
}

/// First into blocks of neighbouring digits, then each block by digit: with as many places to write to as there are
/// buckets, nearly every write would miss the cache.
fn two_passes(
    counts: &mut [u32],
    mut blocks: &mut [[u32; 2]],
    mut refs: &mut [u32],
    entries: impl Iterator<Item = (u32, u32)> + Clone,
) {
    let shift = (usize::BITS - counts.len().leading_zeros()).div_ceil(2);
    let mask = (1 << shift) - 1;
    let mut lengths = vec![0; counts.len().div_ceil(1 << shift)];
    entries.clone().for_each(|(digit, _)| lengths[(digit >> shift) as usize] += 1);
    scatter(&mut starts(&lengths), blocks, entries, |(digit, which)| (digit >> shift, [digit, which]));
    for (counts, length) in counts.chunks_mut(1 << shift).zip(lengths) {
        let (block, later_blocks) = blocks.split_at_mut(length as usize);
        let (to, later_refs) = refs.split_at_mut(length as usize);
        block.iter().for_each(|[digit, _]| counts[(digit & mask) as usize] += 1);
        scatter(&mut starts(counts), to, block.iter(), |[digit, which]| (digit & mask, *which));
        (blocks, refs) = (later_blocks, later_refs);
    }
}

/// Writes the value of each entry to the next free place of its bucket; `at` gives bucket and value of an entry,
/// `cursor` the first place of each bucket.
#[inline(always)]
pub(super) fn scatter<E, V>(
    cursor: &mut [u32],
    to: &mut [V],
    entries: impl Iterator<Item = E>,
    at: impl Fn(E) -> (u32, V),
) {
    entries.for_each(|entry| {
        let (bucket, value) = at(entry);
        let slot = &mut cursor[bucket as usize];
        to[*slot as usize] = value;
        *slot += 1;
    });
}

/// The place where each group starts.
pub(super) fn starts(counts: &[u32]) -> Vec<u32> {
    let mut end = 0;
    let start = |count: &u32| {
        end += count;
        end - count
    };
    counts.iter().map(start).collect()
}
