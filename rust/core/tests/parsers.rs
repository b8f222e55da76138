//! Mutations of good files, for every parser: no panic, and no more memory than the file's size asks for.
//!
//! The fuzz targets in rust/fuzz do the same for as long as one likes.

mod common;

use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::OnceLock;

use common::exercise;
use common::Sample;
use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use zkchain_core::system::System;

/// Counts what each thread has allocated and remembers the most: other tests run at the same time.
struct Meter;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// What another thread allocated may be freed here: the count wraps, and so does every difference of counts.
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

/// The most that `work` had allocated beyond what there was before. It runs, with all its parallel parts, on one thread.
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

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/snarkjs");
    std::fs::read(folder.join(name)).expect("fixture")
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

/// Reading: the copy that the parser owns, what it makes of it, and some small change for errors and threads.
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn edited_files(which in 0usize..6, edits in edits()) {
        attempt(which, &edited(good_files()[which].clone(), &edits));
    }

    #[test]
    fn garbage(which in 0usize..6, data in prop::collection::vec(any::<u8>(), 0..2000)) {
        attempt(which, &data);
    }
}
