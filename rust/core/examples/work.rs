//! Some work for programs that count instructions (docs/measuring.md): `work mul|extend|g1|g2 COUNT TIMES`.
//!
//! `mul`: COUNT multiplications in Fp in each of its chains and lanes; `extend`: a transform of COUNT values there and
//! back; `g1`, `g2`: a sum of COUNT points with full-size scalars. What is prepared does not depend on TIMES, so the
//! difference of two runs is the work alone.

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;
use ark_ff::PrimeField;
use zkchain_core::kernel::curve::{Curve, G1Affine, G2Affine, G1, G2};
use zkchain_core::kernel::fft::Domain;
use zkchain_core::kernel::field::measure::multiply;
use zkchain_core::kernel::field::Fr;
use zkchain_core::kernel::msm::fixed_base::{FixedBase, BATCH};
use zkchain_core::kernel::msm::msm;
use zkchain_core::monitor::Silent;
use zkchain_core::{kernel, pool, Error, Result};

/// Full-size values, the same in every run.
fn scalars(count: usize) -> Vec<Fr> {
    let hashed = |i: usize| blake3::hash(&i.to_le_bytes());
    (0..count).map(|i| Fr::from_le_bytes_mod_order(hashed(i).as_bytes())).collect()
}

fn sum<C: Curve>(base: Affine<C>, count: usize, times: usize) -> Result<()> {
    let (table, scalars) = (FixedBase::<C>::new(base, count), scalars(count));
    let points: Vec<_> = scalars.chunks(BATCH).flat_map(|part| table.multiply(part)).map(|p| C::store(&p)).collect();
    (0..times).try_for_each(|_| pool::run(|| msm::<C>(&points, &scalars, &Silent))?.map(drop))
}

fn extend(count: usize, times: usize) -> Result<()> {
    let (domain, mut values) = (Domain::new(count)?, scalars(count));
    (0..times).try_for_each(|_| pool::run(|| domain.extend(&mut values))?)
}

fn multiplications(count: usize, times: usize) -> Result<()> {
    let id = kernel::check()?;
    (0..times).for_each(|_| _ = multiply(id, count));
    Ok(())
}

fn main() -> Result<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let number = |i: usize| words.get(i).and_then(|word| word.parse().ok()).unwrap_or(1);
    let (count, times) = (number(1), number(2));
    match words.first().map(String::as_str) {
        Some("mul") => multiplications(count, times),
        Some("extend") => extend(count, times),
        Some("g1") => sum::<G1>(G1Affine::generator(), count, times),
        Some("g2") => sum::<G2>(G2Affine::generator(), count, times),
        _ => Err(Error::Setting("expected mul, extend, g1 or g2, COUNT, TIMES".into())),
    }
}
