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
    let sample = Sample::mixed(System::Groth16, 60_000, 500);
    let key = sample.setup().expect("setup");
    let values = sample.values(sample.wires.clone());
    let prove = |bound: usize| key.prove(&values.borrow(), None, &sample.instance(), &[0; 32], &Bounded(bound));
    let held = held_memory().expect("on Linux");

    let room = 9 << 20; // the quotient's 64 bytes a row, then tiles of a half of the rows
    let cut = tile(&Bounded(held + room), "test", 60_000, 192, 1).expect("some room");
    assert!(cut < 50_000, "{cut} scalars at a time are no tile");
    prove(held + room).expect("in tiles");

    assert!(matches!(prove(held + (1 << 20)), Err(Error::Memory(text)) if text.contains("it takes")));
}
