//! Verifying keys, proofs and the pairing check of both systems, groth16 (J. Groth, "On the size of pairing-based
//! non-interactive arguments", EUROCRYPT 2016) and cg16 (docs/protocol.md).
//!
//! groth16: e(-A, B) e(alpha, beta) e(IC, gamma) e(C, delta) = 1, IC = IC_0 + sum x_i IC_i.
//! cg16:    the same with e(D, eta), and IC = IC_0 + c IC_1 + y IC_2, c the challenge, y = sum x_i c^i.

use std::collections::HashSet;

use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;

use crate::error::{Error, Result};
use crate::kernel::curve::{self, Bn254, G1Affine, G1Projective, G2Affine, G1_BYTES, G2_BYTES};
use crate::kernel::field::{Fp, Fr};
use crate::system::System;
use crate::transcript::{self, Word};

pub struct VerifyingKey {
    pub system: System,
    pub instance_length: usize,
    pub circuit_hash: Word,
    pub alpha: G1Affine,
    pub beta: G2Affine,
    pub gamma: G2Affine,
    pub delta: G2Affine,
    /// CG16 only.
    pub eta: Option<G2Affine>,
    pub ic: Vec<G1Affine>,
    pub hash: Word,
}

pub struct Proof {
    pub a: G1Affine,
    pub b: G2Affine,
    pub c: G1Affine,
    /// CG16 only.
    pub d: Option<G1Affine>,
}

/// The length of a verifying key in bytes; None when it overflows.
pub fn key_bytes_len(system: System, instance_length: usize) -> Option<usize> {
    let (g2, ic) = match system {
        System::Groth16 => (3, instance_length.checked_add(1)?),
        System::Cg16 => (4, 3),
    };
    ic.checked_mul(G1_BYTES)?.checked_add(G1_BYTES + g2 * G2_BYTES)
}

impl VerifyingKey {
    /// alpha1 | beta2 | gamma2 | delta2 | [eta2] | IC_0 .. in Ethereum's encodings.
    ///
    /// Errors: KeyFormat (wrong length, a point off its curve or subgroup), UnsafeKey (a trapdoor that is infinity or +-
    /// another one).
    pub fn from_bytes(system: System, instance_length: usize, circuit_hash: Word, bytes: &[u8]) -> Result<Self> {
        let key = Self::unfinished(system, instance_length, circuit_hash, bytes)?;
        key.check_trapdoors()?;
        Ok(key)
    }

    /// The same for a key in a ceremony, in which delta and eta may still be 1: nobody may rely on it.
    pub(crate) fn unfinished(system: System, instance_length: usize, circuit_hash: Word, bytes: &[u8]) -> Result<Self> {
        if key_bytes_len(system, instance_length) != Some(bytes.len()) {
            let text =
                format!("verifying key ({}, {instance_length} inputs): wrong length {}", system.name(), bytes.len());
            return Err(Error::KeyFormat(text));
        }
        Self::parse(system, instance_length, circuit_hash, bytes).map_err(|error| match error {
            Error::ProofFormat(text) => Error::KeyFormat(text),
            other => other,
        })
    }

    fn parse(system: System, instance_length: usize, circuit_hash: Word, bytes: &[u8]) -> Result<Self> {
        let (alpha, rest) = bytes.split_at(G1_BYTES);
        let n_g2 = if system == System::Cg16 { 4 } else { 3 };
        let (g2, ic) = rest.split_at(n_g2 * G2_BYTES);
        let names = ["verifying key: beta", "verifying key: gamma", "verifying key: delta", "verifying key: eta"];
        let g2: Vec<_> = g2
            .chunks_exact(G2_BYTES)
            .zip(names)
            .map(|(chunk, name)| curve::decode_g2(chunk, name))
            .collect::<Result<_>>()?;
        let ic = ic.chunks_exact(G1_BYTES).map(|chunk| curve::decode_g1(chunk, "verifying key: gamma_abc"));
        let ic: Vec<_> = ic.collect::<Result<_>>()?;
        let alpha = curve::decode_g1(alpha, "verifying key: alpha")?;
        let hash = transcript::vk_hash(system.labels().vk, &circuit_hash, &alpha, &g2, &ic, instance_length);
        Ok(VerifyingKey {
            system,
            instance_length,
            circuit_hash,
            alpha,
            beta: g2[0],
            gamma: g2[1],
            delta: g2[2],
            eta: g2.get(3).copied(),
            ic,
            hash,
        })
    }

    /// Refuses keys under which anyone can forge proofs. Setups without contributions, which have been deployed by
    /// mistake, leave gamma, delta and eta equal up to sign or at infinity, or delta or eta at +-G2. Without the rows
    /// wire_j * 0 = 0 the public inputs need not enter independently.
    pub(crate) fn check_trapdoors(&self) -> Result<()> {
        let mut seen: Vec<G2Affine> = Vec::new();
        for point in [Some(self.gamma), Some(self.delta), self.eta].into_iter().flatten() {
            if point.is_zero() || seen.iter().any(|p| *p == point || *p == -point) {
                return Err(Error::UnsafeKey(
                    "verifying key: gamma, delta, eta are not independent: anyone can forge proofs for this key".into(),
                ));
            }
            seen.push(point);
        }
        let generator = G2Affine::generator();
        if [Some(self.delta), self.eta].into_iter().flatten().any(|p| p == generator || p == -generator) {
            return Err(Error::UnsafeKey(
                "verifying key: delta or eta is +-G2: nobody has contributed a secret to it".into(),
            ));
        }
        if self.alpha.is_zero() || self.beta.is_zero() {
            return Err(Error::UnsafeKey("verifying key: alpha or beta is the point at infinity".into()));
        }
        let distinct: HashSet<Fp> = self.ic.iter().map(|point| point.x).collect();
        if distinct.len() < self.ic.len() || self.ic.iter().any(|point| point.is_zero()) {
            return Err(Error::UnsafeKey("verifying key: the public inputs do not enter independently".into()));
        }
        Ok(())
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = curve::encode_g1(&self.alpha).to_vec();
        for point in [Some(self.beta), Some(self.gamma), Some(self.delta), self.eta].into_iter().flatten() {
            out.extend(curve::encode_g2(&point));
        }
        self.ic.iter().for_each(|point| out.extend(curve::encode_g1(point)));
        out
    }

    /// Errors: ProofFormat unless the instance has L words.
    pub fn check_instance(&self, instance: &[Fr]) -> Result<()> {
        if instance.len() == self.instance_length {
            return Ok(());
        }
        let (expected, got) = (self.instance_length, instance.len());
        Err(Error::ProofFormat(format!("instance: expected {expected} words, got {got}")))
    }

    /// The hash that stands for (ctx, D, x) of one proof.
    pub fn seed(&self, ctx: &Word, d: Option<&G1Affine>, instance: &[Fr]) -> Word {
        transcript::seed(self.system.labels().seed, &self.hash, d.map(|d| (ctx, d)), instance)
    }

    /// The values of the public wires after the one: x itself, or (c, y).
    pub fn public_wires(&self, seed: &Word, instance: &[Fr]) -> Vec<Fr> {
        match self.system {
            System::Groth16 => instance.to_vec(),
            System::Cg16 => {
                let c = transcript::challenge(seed, 0);
                vec![c, transcript::compress(instance, &c)]
            }
        }
    }

    /// IC_0 * one + sum w_i IC_i.
    pub fn combine_ic(&self, one: &Fr, public: &[Fr]) -> G1Projective {
        let tail = self.ic[1..].iter().zip(public).map(|(point, x)| *point * x);
        tail.fold(self.ic[0] * one, |sum, term| sum + term)
    }
}

impl Proof {
    /// A 64 | B 128 | C 64 [| D 64]. Errors (ProofFormat): wrong length, a point off its curve or subgroup.
    pub fn from_bytes(system: System, bytes: &[u8]) -> Result<Self> {
        if bytes.len() != system.proof_bytes() {
            let (name, expected) = (system.name(), system.proof_bytes());
            return Err(Error::ProofFormat(format!("{name} proof: expected {expected} bytes, got {}", bytes.len())));
        }
        Ok(Proof {
            a: curve::decode_g1(&bytes[..64], "proof element a")?,
            b: curve::decode_g2(&bytes[64..192], "proof element b")?,
            c: curve::decode_g1(&bytes[192..256], "proof element c")?,
            d: match system {
                System::Groth16 => None,
                System::Cg16 => Some(curve::decode_g1(&bytes[256..], "proof element d")?),
            },
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = curve::encode_g1(&self.a).to_vec();
        out.extend(curve::encode_g2(&self.b));
        out.extend(curve::encode_g1(&self.c));
        self.d.iter().for_each(|d| out.extend(curve::encode_g1(d)));
        out
    }
}

/// Whether prod e(p, q) = 1.
pub fn pairing_is_one(pairs: &[(G1Affine, G2Affine)]) -> bool {
    let (p, q): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    Bn254::multi_pairing(p, q).0 == <Bn254 as Pairing>::TargetField::ONE
}

/// The proof that has just been made, if it verifies. Its points are parsed again, because those of a hostile key need
/// not lie on their curves, and a part of B outside the subgroup of order r would not be blinded.
pub fn verified(key: &VerifyingKey, instance: &[Fr], made: &Proof, ctx: &Word) -> Result<Proof> {
    let proof = Proof::from_bytes(key.system, &made.to_bytes())?;
    verify(key, instance, &proof, ctx).map(|()| proof)
}

/// `Ok` when the proof holds for the instance under `ctx` (which groth16 does not use), else `Err(ProofInvalid)`.
pub fn verify(key: &VerifyingKey, instance: &[Fr], proof: &Proof, ctx: &Word) -> Result<()> {
    key.check_instance(instance)?;
    let seed = key.seed(ctx, proof.d.as_ref(), instance);
    let ic = key.combine_ic(&Fr::ONE, &key.public_wires(&seed, instance)).into_affine();
    let mut pairs = vec![(-proof.a, proof.b), (key.alpha, key.beta), (ic, key.gamma), (proof.c, key.delta)];
    pairs.extend(proof.d.zip(key.eta));
    if pairing_is_one(&pairs) {
        Ok(())
    } else {
        Err(Error::ProofInvalid)
    }
}
