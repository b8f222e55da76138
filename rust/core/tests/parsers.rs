//! Mutations of good files, for every parser: it may not panic, nor take more memory than the size of the file
//! justifies.
//!
//! The fuzz targets in rust/fuzz do the same for as long as one likes.

mod common;

use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::cell::Cell;
use std::sync::OnceLock;

use common::exercise;
use common::{fixture, Sample};
use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use zkchain_core::circom::container::{P, R};
use zkchain_core::circom::r1cs::R1cs;
use zkchain_core::circom::wtns;
use zkchain_core::circom::zkey::Zkey;
use zkchain_core::kernel::field::Fr;
use zkchain_core::monitor::Silent;
use zkchain_core::system::System;

/// Counts what each thread has allocated and remembers the most: other tests run at the same time.
struct Meter;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// Memory that another thread has allocated may be freed here. The count then wraps, and so does every difference.
fn count(now: impl Fn(usize) -> usize) {
    NOW.set(now(NOW.get()));
    if NOW.get().wrapping_sub(MOST.get()) < usize::MAX / 2 {
        MOST.set(NOW.get());
    }
}

// SAFETY: passes every call on to the system's allocator.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|now| now.wrapping_add(layout.size()));
        Heap.alloc(layout)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|now| now.wrapping_sub(layout.size()));
        Heap.dealloc(pointer, layout);
    }
}

#[global_allocator]
static METER: Meter = Meter;

/// The most that `work` had allocated beyond what there was before. It runs, with all its parallel parts, on one
/// thread.
fn peak(work: impl FnOnce() + Send) -> usize {
    static ALONE: OnceLock<ThreadPool> = OnceLock::new();
    let pool = ALONE.get_or_init(|| ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"));
    pool.install(|| {
        let before = NOW.get();
        MOST.set(before);
        work();
        MOST.get().wrapping_sub(before)
    })
}

/// A good file of each kind, in the order of `exercise::ALL`.
fn good_files() -> &'static [Vec<u8>; 6] {
    static CELL: OnceLock<[Vec<u8>; 6]> = OnceLock::new();
    CELL.get_or_init(|| {
        let sample = Sample::mixed(System::Groth16, 20, 500);
        let key = sample.setup().expect("setup");
        let proof = sample.prove(&key).expect("proof").to_bytes();
        let files = ["toy.zkey", "toy.wtns", "toy.r1cs", "toy.ptau"].map(fixture);
        let [zkey, wtns, r1cs, ptau] = files;
        [key.as_bytes().to_vec(), zkey, wtns, r1cs, ptau, proof]
    })
}

/// What reading may take: the copy that the parser owns, what it makes of it, and a little for errors and threads.
fn allowed(length: usize) -> usize {
    4 * length + (64 << 10)
}

fn attempt(which: usize, data: &[u8]) {
    let target = &exercise::ALL[which];
    let used = peak(|| (target.parse)(data));
    assert!(used <= allowed(data.len()), "{}: {used} bytes for a file of {}", target.name, data.len());
    (target.run)(data);
}

#[test]
fn good_files_are_read() {
    (0..6).for_each(|which| attempt(which, &good_files()[which]));
}

#[test]
fn every_prefix_is_read() {
    for (which, file) in good_files().iter().enumerate() {
        let step = if file.len() > 4096 { 397 } else { 1 };
        (0..file.len()).step_by(step).for_each(|end| attempt(which, &file[..end]));
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Byte(usize, u8),
    Word(usize, u64),
    Cut(usize, usize),
    Repeat(usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = prop_oneof![0usize..256, any::<usize>()];
    let word = prop_oneof![any::<u64>(), 0u64..128, Just(u64::MAX), Just(1 << 31), Just(1 << 32)];
    let edit = prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(i, v)| Edit::Byte(i, v)),
        (at.clone(), word).prop_map(|(i, v)| Edit::Word(i, v)),
        (at.clone(), 1usize..200).prop_map(|(i, n)| Edit::Cut(i, n)),
        (at, 1usize..200).prop_map(|(i, n)| Edit::Repeat(i, n)),
    ];
    prop::collection::vec(edit, 1..5)
}

fn edited(mut data: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let length = data.len().max(1);
        let end = data.len();
        let range = |i: usize, n: usize| i % length..(i % length + n).min(end);
        match edit {
            Edit::Byte(i, value) => data[range(*i, 1)].fill(*value),
            Edit::Word(i, value) => {
                let place = range(*i, 8);
                let bytes = &value.to_le_bytes()[..place.len()];
                data[place].copy_from_slice(bytes);
            }
            Edit::Cut(i, n) => drop(data.drain(range(*i, *n))),
            Edit::Repeat(i, n) => {
                let piece = data[range(*i, *n)].to_vec();
                let place = i % length;
                data.splice(place..place, piece);
            }
        }
    }
    data
}

/// A change of one section, in the units of which these files are made.
#[derive(Clone, Debug)]
enum Change {
    /// A 32-bit count.
    Word(usize, usize, u32),
    /// A field element: one of `edge_values`.
    Element(usize, usize, usize),
    /// Bytes of one element over those of another.
    Copy(usize, usize, usize, usize),
    /// Some elements less, or some again.
    Resize(usize, usize, bool),
    Drop(usize),
    Double(usize),
    Exchange(usize, usize),
    Rename(usize, u32),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let (section, place, size) =
        (0usize..16, 0usize..4096, prop::sample::select(vec![4usize, 12, 32, 36, 44, 64, 128]));
    let word = prop_oneof![any::<u32>(), 0u32..70, Just(u32::MAX), Just(1 << 27), Just(1 << 28), Just(1 << 31)];
    let change = prop_oneof![
        4 => (section.clone(), place.clone(), word).prop_map(|(s, i, v)| Change::Word(s, i, v)),
        4 => (section.clone(), place.clone(), 0usize..9).prop_map(|(s, i, v)| Change::Element(s, i, v)),
        2 => (section.clone(), place.clone(), place, size.clone()).prop_map(|(s, i, j, n)| Change::Copy(s, i, j, n)),
        2 => (section.clone(), size, any::<bool>()).prop_map(|(s, n, more)| Change::Resize(s, n, more)),
        1 => section.clone().prop_map(Change::Drop),
        1 => section.clone().prop_map(Change::Double),
        1 => (section.clone(), section.clone()).prop_map(|(s, t)| Change::Exchange(s, t)),
        1 => (section, 0u32..20).prop_map(|(s, id)| Change::Rename(s, id)),
    ];
    prop::collection::vec(change, 1..4)
}

/// Values about 0, r, p and 2^256, as they lie in a file.
fn edge_values() -> [[u8; 32]; 9] {
    let minus_one = |mut x: [u64; 4]| {
        x[0] -= 1;
        x
    };
    let half = |x: [u64; 4]| [0, 1, 2, 3].map(|i| x[i] >> 1 | x.get(i + 1).map_or(0, |high| high << 63));
    let limbs = [[0; 4], [1, 0, 0, 0], R, minus_one(R), P, minus_one(P), half(R), half(P), [u64::MAX; 4]];
    limbs.map(bytemuck::cast)
}

fn changed(data: &[u8], changes: &[Change]) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().expect("four bytes"));
    let (mut sections, mut at): (Vec<(u32, Vec<u8>)>, usize) = (Vec::new(), 12);
    while at < data.len() {
        let size = u64::from_le_bytes(data[at + 4..at + 12].try_into().expect("eight bytes")) as usize;
        sections.push((word(at), data[at + 12..at + 12 + size].to_vec()));
        at += 12 + size;
    }
    for change in changes {
        change.apply(&mut sections);
    }
    let mut out = [&data[..8], &(sections.len() as u32).to_le_bytes()].concat();
    for (id, content) in sections {
        out.extend([&id.to_le_bytes()[..], &(content.len() as u64).to_le_bytes(), &content].concat());
    }
    out
}

impl Change {
    fn apply(&self, sections: &mut Vec<(u32, Vec<u8>)>) {
        let count = sections.len();
        if count == 0 {
            return;
        }
        let put = |content: &mut Vec<u8>, unit: usize, i: usize, value: &[u8]| {
            let at = i % (content.len() / unit).max(1) * unit;
            content.iter_mut().skip(at).zip(value).for_each(|(slot, byte)| *slot = *byte);
        };
        match *self {
            Change::Word(s, i, value) => put(&mut sections[s % count].1, 4, i, &value.to_le_bytes()),
            Change::Element(s, i, value) => put(&mut sections[s % count].1, 4, i, &edge_values()[value]),
            Change::Copy(s, i, j, size) => {
                let content = &mut sections[s % count].1;
                let from = i % (content.len() / size).max(1) * size;
                let value: Vec<u8> = content.iter().skip(from).take(size).copied().collect();
                put(content, size, j, &value);
            }
            Change::Resize(s, size, true) => {
                let content = &mut sections[s % count].1;
                let last = content[content.len().saturating_sub(size)..].to_vec();
                content.extend(last);
            }
            Change::Resize(s, size, false) => {
                let content = &mut sections[s % count].1;
                content.truncate(content.len().saturating_sub(size));
            }
            Change::Drop(s) => drop(sections.remove(s % count)),
            Change::Double(s) => sections.push(sections[s % count].clone()),
            Change::Exchange(s, t) => sections.swap(s % count, t % count),
            Change::Rename(s, id) => sections[s % count].0 = id,
        }
    }
}

/// The files that are made of sections, by their place in `exercise::ALL`.
const SECTIONED: std::ops::Range<usize> = 1..5;

#[test]
fn unchanged_sections_are_the_file() {
    SECTIONED.for_each(|which| assert_eq!(changed(&good_files()[which], &[]), good_files()[which]));
}

/// Whether the wires are as many as the toy circuit's and satisfy its rows.
fn satisfies(wires: &[Fr]) -> bool {
    let r1cs = R1cs::parse(&good_files()[3]).expect("good");
    let mut holds = wires.len() == r1cs.n_wires;
    let read = r1cs.for_each_block(|sides| {
        if holds {
            let [a, b, c] = sides.map(|side| side.multiply(wires));
            holds = (0..a.len()).all(|i| a[i] * b[i] == c[i]);
        }
        Ok(())
    });
    read.expect("good");
    holds
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn edited_files(which in 0usize..6, edits in edits()) {
        attempt(which, &edited(good_files()[which].clone(), &edits));
    }

    #[test]
    fn changed_sections(which in SECTIONED, changes in changes()) {
        attempt(which, &changed(&good_files()[which], &changes));
    }

    /// Whatever values stand in a witness file: it is proved if they satisfy the rows, and else refused.
    #[test]
    fn changed_witnesses(changes in changes()) {
        let data = changed(&good_files()[2], &changes);
        let Ok(wires) = wtns::parse(&data) else { return Ok(()) };
        let key = Zkey::from_bytes(good_files()[1].clone()).expect("good");
        prop_assert_eq!(key.prove(&wires, &Silent).is_ok(), satisfies(&wires));
    }

    #[test]
    fn garbage(which in 0usize..6, data in prop::collection::vec(any::<u8>(), 0..2000)) {
        attempt(which, &data);
    }
}
