//! Secrets, and the proof that a contributor knew his (C. P. Schnorr, "Efficient signature generation by smart cards",
//! J. Cryptology 4, 1991): R = k prev, ch = H(label, context, prev, new, P, R), s = k + ch secret.

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::table::{Pair, Trapdoor};
use super::transcript::Step;
use crate::error::{Error, Result};
use crate::kernel::curve::{encode_g1, mul, G1Affine, G1, G2};
use crate::kernel::field::{self, Fr};
use crate::transcript::{keccak, Word};

const PROOF: &[u8] = b"zkchain/cg16/pok/1";
const ENTROPY: &str = "zkchain/ceremony/entropy/1";

/// The scalars of one contributor for one trapdoor, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret {
    pub secret: Fr,
    pub nonce: Fr,
}

/// Whether a scalar may be a secret: with 0 the key breaks, with +-1 nothing is contributed.
pub fn is_secret(x: &Fr) -> bool {
    *x != Fr::ZERO && *x != Fr::ONE && *x != -Fr::ONE
}

impl Secret {
    /// From the operating system's randomness, with `typed` mixed in: who knows what was typed knows nothing. Errors
    /// (Internal): the system has no randomness.
    pub fn random(typed: &[u8]) -> Result<Self> {
        loop {
            let made = Secret { secret: mixed(typed)?, nonce: mixed(typed)? };
            if is_secret(&made.secret) && made.nonce != Fr::ZERO {
                return Ok(made);
            }
        }
    }

    /// What the secret does to a trapdoor, with the proof.
    pub fn step(&self, trapdoor: &Trapdoor, context: &Word, prev: &Pair) -> Step {
        let new = Pair { g1: mul::<G1>(&prev.g1, &self.secret), g2: mul::<G2>(&prev.g2, &self.secret) };
        let secret = mul::<G1>(&G1Affine::generator(), &self.secret);
        let nonce = mul::<G1>(&prev.g1, &self.nonce);
        let challenge = challenge(trapdoor, context, &prev.g1, &new.g1, &secret, &nonce);
        Step { new, secret, nonce, answer: self.nonce + challenge * self.secret }
    }

    /// The scalar by which the trapdoor's sections are multiplied.
    pub fn inverse(&self) -> Result<Zeroizing<Fr>> {
        let inverse = self.secret.inverse().ok_or(Error::Internal("a secret is zero".into()))?;
        Ok(Zeroizing::new(inverse))
    }
}

/// A uniform scalar (bias below 2^-250) from 64 fresh bytes of the system and some text.
fn mixed(typed: &[u8]) -> Result<Fr> {
    let mut fresh = Zeroizing::new([0u8; 64]);
    getrandom::fill(fresh.as_mut()).map_err(|e| Error::Internal(format!("no randomness: {e}")))?;
    let mut hasher = Zeroizing::new(blake3::Hasher::new_derive_key(ENTROPY));
    hasher.update(fresh.as_ref()).update(typed);
    let mut wide = Zeroizing::new([0u8; 64]);
    hasher.finalize_xof().fill(wide.as_mut());
    Ok(Fr::from_le_bytes_mod_order(wide.as_ref()))
}

fn challenge(
    trapdoor: &Trapdoor,
    context: &Word,
    prev: &G1Affine,
    new: &G1Affine,
    secret: &G1Affine,
    nonce: &G1Affine,
) -> Fr {
    let points = [prev, new, secret, nonce].map(encode_g1);
    let [prev, new, secret, nonce] = &points;
    let label = keccak(&[trapdoor.label.as_bytes()]);
    field::reduce_be(&keccak(&[PROOF, &label, context, prev, new, secret, nonce]))
}

/// Whether s prev = R + ch new.
pub fn proves(step: &Step, trapdoor: &Trapdoor, context: &Word, prev: &Pair) -> bool {
    let challenge = challenge(trapdoor, context, &prev.g1, &step.new.g1, &step.secret, &step.nonce);
    (prev.g1 * step.answer).into_affine() == (step.new.g1 * challenge + step.nonce).into_affine()
}
