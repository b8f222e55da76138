//! A bound on memory: work is cut into tiles that fit, or refused. The only test of its process, whose memory it measures.

mod common;

use common::Sample;
use zkchain_core::error::Error;
use zkchain_core::parallel::{held_memory, tile, Monitor};
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
    tile(&Bounded(usize::MAX), "test", 1, 1, 1).expect("all there is"); // gives back what setup has freed
    let held = held_memory().expect("on Linux");

    let room = 16 << 20; // the quotient takes 64 bytes a row; then there is room for a tile of two thirds
    let cut = tile(&Bounded(held + room), "test", 120_000, 192, 1).expect("some room");
    assert!(cut < 100_000, "{cut} scalars at a time are no tile");
    prove(held + room).expect("in tiles");

    assert!(matches!(prove(held + (1 << 20)), Err(Error::Memory(text)) if text.contains("it takes")));
}
