//! The unit in which benchmarks count: multiplications in Fp at full throughput.

use std::hint::black_box;
use std::marker::PhantomData;

use super::arith::{Arith, Kernel, Work};
use super::modulus::Base;
use crate::kernel::{dispatch, Choice};

/// Independent products, so that none waits for the last.
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

/// Multiplies `rounds` times in each chain and lane; how many multiplications that was. Calling thread only.
pub fn multiply(choice: Choice, rounds: usize) -> usize {
    dispatch!(choice, K => K::enter(Products::<K> { rounds, kernel: PhantomData }))
}
