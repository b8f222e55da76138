//! The challenge of CG16 and the hashes around it: keccak256 over 32-byte big-endian words, byte for byte the same as
//! in the reference and in the Solidity verifier.

use ark_ff::{AdditiveGroup, Field};
use sha3::{Digest, Keccak256};

use crate::kernel::curve::{encode_g1, encode_g2, G1Affine, G2Affine};
use crate::kernel::field::{self, Fr};

pub type Word = [u8; 32];

/// The labels that separate the hashes of one proof system from those of the other.
pub struct Labels {
    pub vk: &'static [u8],
    pub seed: &'static [u8],
    pub batch: &'static [u8],
}

pub const GROTH16: Labels =
    Labels { vk: b"zkchain/groth16/vk/1", seed: b"zkchain/groth16/instance/1", batch: b"zkchain/groth16/batch/1" };
pub const CG16: Labels =
    Labels { vk: b"zkchain/cg16/vk/1", seed: b"zkchain/cg16/challenge/1", batch: b"zkchain/cg16/batch/1" };

/// keccak256 of the concatenation of `parts`.
pub fn keccak(parts: &[&[u8]]) -> Word {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A small integer as a word.
pub fn uint(value: u64) -> Word {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

/// keccak(label || circuit_hash || alpha1 || beta2 || gamma2 || delta2 || [eta2] || IC_0.. || L).
pub fn vk_hash(
    label: &[u8],
    circuit_hash: &Word,
    alpha: &G1Affine,
    g2: &[G2Affine],
    ic: &[G1Affine],
    l: usize,
) -> Word {
    let mut hasher = Keccak256::new();
    hasher.update(label);
    hasher.update(circuit_hash);
    hasher.update(encode_g1(alpha));
    g2.iter().for_each(|p| hasher.update(encode_g2(p)));
    ic.iter().for_each(|p| hasher.update(encode_g1(p)));
    hasher.update(uint(l as u64));
    hasher.finalize().into()
}

/// keccak(keccak(label) || vkhash || [ctx || D.x || D.y] || uint(L) || x_0 ..); the bracket is CG16's.
pub fn seed(label: &[u8], vk_hash: &Word, committed: Option<(&Word, &G1Affine)>, instance: &[Fr]) -> Word {
    let mut hasher = Keccak256::new();
    hasher.update(keccak(&[label]));
    hasher.update(vk_hash);
    if let Some((ctx, d)) = committed {
        hasher.update(ctx);
        hasher.update(encode_g1(d));
    }
    hasher.update(uint(instance.len() as u64));
    instance.iter().for_each(|x| hasher.update(field::to_be(x)));
    hasher.finalize().into()
}

/// (hi * 2^256 + lo) mod r with hi, lo = keccak(seed || 2k), keccak(seed || 2k + 1); k counts the challenges.
pub fn challenge(seed: &Word, k: u64) -> Fr {
    let half = |counter| field::reduce_be(&keccak(&[seed, &uint(counter)]));
    half(2 * k) * field::MONTGOMERY_R + half(2 * k + 1)
}

/// sum x_i c^i.
pub fn compress(instance: &[Fr], c: &Fr) -> Fr {
    instance.iter().rev().fold(Fr::ZERO, |acc, x| acc * c + x)
}

/// Multipliers of a batch: rho_1 = 1, rho_i = top 128 bits of keccak(label || vkhash || N || items || i).
pub fn batch_multipliers(label: &[u8], vk_hash: &Word, items: &[u8], count: usize) -> Vec<Fr> {
    let mut prefix = Keccak256::new();
    [label, vk_hash, &uint(count as u64), items].iter().for_each(|part| prefix.update(part));
    let multiplier = |i: usize| {
        let digest = prefix.clone().chain_update(uint(i as u64)).finalize();
        let mut word = [0; 32];
        word[16..].copy_from_slice(&digest[..16]);
        field::reduce_be(&word)
    };
    (1..=count).map(|i| if i == 1 { Fr::ONE } else { multiplier(i) }).collect()
}
