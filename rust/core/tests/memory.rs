//! A bound on memory: work is cut into tiles that room_for, or refused. This is the only test in its file, because it
//! measures the memory of its process.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::Sample;
use zkchain_core::error::Error;
use zkchain_core::memory::{held_memory, room_for};
use zkchain_core::monitor::Monitor;
use zkchain_core::system::System;

struct Bounded(usize);

impl Monitor for Bounded {
    fn report(&self, _stage: &'static str, _fraction: f64) {}

    fn cancelled(&self) -> bool {
        false
    }

    fn memory(&self) -> Option<usize> {
        Some(self.0)
    }
}

#[test]
fn proofs_within_a_bound() {
    let Some(_) = held_memory() else { return };
    let sample = Sample::mixed(System::Groth16, 120_000, 500);
    let key = sample.setup().expect("setup");
    let values = sample.values(sample.wires.clone());
    let prove = |bound: usize| key.prove(&values.borrow(), None, &sample.instance(), &[0; 32], &Bounded(bound));
    room_for(&Bounded(usize::MAX), "test", 1).expect("all there is"); // gives back what setup has freed
    let held = held_memory().expect("on Linux");

    for room in [30 << 20, 24 << 20] {
        let (result, peak) = watched(|| prove(held + room));
        result.expect("in tiles");
        assert!(peak <= held + room + SLACK, "{} of {} KiB more", (peak - held) >> 10, room >> 10);
    }
    assert!(matches!(prove(held + (1 << 20)), Err(Error::Memory(text)) if text.contains("it takes at least")));
}

/// What may be held beyond the bound: stacks, and memory that the allocator keeps.
const SLACK: usize = 2 << 20;

/// The result of some work, and the most memory that was held meanwhile.
fn watched<T: Send>(work: impl FnOnce() -> T + Send) -> (T, usize) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(held_memory().unwrap_or(0));
                std::thread::sleep(Duration::from_micros(500));
            }
            peak
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, watcher.join().expect("no panic"))
    })
}
