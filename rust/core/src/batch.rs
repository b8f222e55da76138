//! Many proofs under one key at the price of one pairing each, and the search for those that do not verify.
//!
//! The pairing equations are added up with random multipliers, so that e(., gamma), e(., delta) and the rest are
//! computed once; a batch that fails is searched by bisection.

use ark_ec::CurveGroup;
use ark_ff::AdditiveGroup;

use crate::error::{Error, Result};
use crate::kernel::curve::{self, G1Projective};
use crate::kernel::field::Fr;
use crate::monitor::Monitor;
use crate::transcript::{self, Word};
use crate::verify::{pairing_is_one, verify, Proof, VerifyingKey};

/// One proof of a batch.
pub struct Claim {
    pub instance: Vec<Fr>,
    pub proof: Proof,
    pub ctx: Word,
}

/// `Ok` when every proof verifies; else `Err(BatchInvalid)` with the indices of those that do not.
pub fn verify_batch(key: &VerifyingKey, claims: &[Claim], monitor: &dyn Monitor) -> Result<()> {
    claims.iter().try_for_each(|claim| key.check_instance(&claim.instance))?;
    let mut bad = Vec::new();
    find_bad(key, claims, 0, &mut bad, monitor)?;
    if bad.is_empty() {
        return Ok(());
    }
    Err(Error::BatchInvalid { bad, total: claims.len() })
}

/// Appends the indices of the claims that do not verify, counted from `first`.
fn find_bad(
    key: &VerifyingKey,
    claims: &[Claim],
    first: usize,
    bad: &mut Vec<usize>,
    monitor: &dyn Monitor,
) -> Result<()> {
    monitor.check()?;
    if claims.is_empty() || holds(key, claims) {
        return Ok(());
    }
    if claims.len() == 1 {
        bad.push(first);
        return Ok(());
    }
    let (left, right) = claims.split_at(claims.len() / 2);
    find_bad(key, left, first, bad, monitor)?;
    find_bad(key, right, first + left.len(), bad, monitor)
}

/// Whether all claims verify:
///
/// prod e(-rho_i A_i, B_i) e((sum rho) alpha, beta) e(sum_j (sum_i rho_i w_ij) IC_j, gamma)
///     e(sum rho_i C_i, delta) [e(sum rho_i D_i, eta)] = 1.
fn holds(key: &VerifyingKey, claims: &[Claim]) -> bool {
    if let [claim] = claims {
        return verify(key, &claim.instance, &claim.proof, &claim.ctx).is_ok();
    }
    let seeds: Vec<Word> = claims.iter().map(|c| key.seed(&c.ctx, c.proof.d.as_ref(), &c.instance)).collect();
    let rhos = multipliers(key, claims, &seeds);
    let total: Fr = rhos.iter().sum();
    let mut public = vec![Fr::ZERO; key.ic.len() - 1];
    let (mut c, mut d) = (G1Projective::ZERO, G1Projective::ZERO);
    let mut pairs = Vec::with_capacity(claims.len() + 4);
    for ((claim, seed), rho) in claims.iter().zip(&seeds).zip(&rhos) {
        let wires = key.public_wires(seed, &claim.instance);
        public.iter_mut().zip(wires).for_each(|(sum, w)| *sum += w * rho);
        c += claim.proof.c * rho;
        d += claim.proof.d.map_or(G1Projective::ZERO, |d| d * rho);
        pairs.push((-curve::mul(&claim.proof.a, rho), claim.proof.b));
    }
    pairs.push((curve::mul(&key.alpha, &total), key.beta));
    pairs.push((key.combine_ic(&total, &public).into_affine(), key.gamma));
    pairs.push((c.into_affine(), key.delta));
    pairs.extend(key.eta.map(|eta| (d.into_affine(), eta)));
    pairing_is_one(&pairs)
}

/// The multipliers rho, drawn from a hash of all claims, so that nobody can choose proofs to fit them.
fn multipliers(key: &VerifyingKey, claims: &[Claim], seeds: &[Word]) -> Vec<Fr> {
    let mut items = Vec::with_capacity(claims.len() * 288);
    for (claim, seed) in claims.iter().zip(seeds) {
        items.extend(seed);
        items.extend(curve::encode_g1(&claim.proof.a));
        items.extend(curve::encode_g2(&claim.proof.b));
        items.extend(curve::encode_g1(&claim.proof.c));
    }
    transcript::batch_multipliers(key.system.labels().batch, &key.hash, &items, claims.len())
}
