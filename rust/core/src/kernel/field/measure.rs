//! The unit in which benchmarks count: one multiplication in Fp, at full throughput.

use std::hint::black_box;
use std::marker::PhantomData;

use super::arith::{Arith, Kernel, Work};
use super::modulus::Base;
use crate::kernel::{dispatch, KernelId};

/// Products under way at the same time, so that none waits for the one before.
const CHAINS: usize = 4;

struct Products<K> {
    rounds: usize,
    kernel: PhantomData<K>,
}

impl<K: Kernel> Work<K> for Products<K> {
    type Out = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let one = black_box(<K as Arith<Base>>::one());
        let mut chains = [one; CHAINS];
        for _ in 0..self.rounds {
            for chain in &mut chains {
                *chain = <K as Arith<Base>>::mul(chain, &one);
            }
            black_box(&mut chains);
        }
        self.rounds * CHAINS * <K as Arith<Base>>::LANES
    }
}

/// Multiplies `rounds` times in each chain and lane, on the calling thread; returns how many multiplications that was.
pub fn multiply(id: KernelId, rounds: usize) -> usize {
    dispatch!(id, K => K::enter(Products::<K> { rounds, kernel: PhantomData }))
}
