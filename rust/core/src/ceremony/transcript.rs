//! Head and records of a ceremony's transcript: bytes, and the hashes that chain them.

use ark_ec::AffineRepr;

use super::malformed;
use super::table::{trapdoors, Pair};
use crate::error::{Error, Result};
use crate::kernel::curve::{decode_g1, decode_g2, encode_g1, encode_g2, G1Affine, G2Affine, G1_BYTES, G2_BYTES};
use crate::kernel::field::{self, Fr, BYTES};
use crate::system::System;
use crate::transcript::{keccak, Word};

const START: &[u8] = b"zkchain/ceremony/start/1";
const CONTEXT: &[u8] = b"zkchain/ceremony/context/1";
const RECORD: &[u8] = b"zkchain/ceremony/record/1";

/// What is wrong with a contribution, in words; the caller knows which one it is.
pub type Parse<T> = std::result::Result<T, String>;

pub const HEAD: usize = 112;
const FIXED: usize = 8;
const STEP: usize = 3 * G1_BYTES + G2_BYTES + BYTES;
const LONGEST_NAME: usize = 128;
/// Control characters, and those that make a line look like another one.
const FORBIDDEN: [std::ops::RangeInclusive<u32>; 6] =
    [0..=0x1f, 0x7f..=0x9f, 0x200b..=0x200f, 0x2028..=0x202e, 0x2060..=0x206f, 0xfeff..=0xfeff];

/// What a ceremony is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub system: System,
    /// The power of the .ptau file, and the sha256 of all of it.
    pub power: u32,
    pub ptau: Word,
    pub circuit_hash: Word,
    /// The digest of the key with delta = eta = 1.
    pub initial: Word,
}

impl Head {
    pub fn to_bytes(self) -> [u8; HEAD] {
        let mut out = [0; HEAD];
        let system: u32 = if self.system == System::Groth16 { 1 } else { 2 };
        let count = trapdoors(self.system).len() as u32;
        for (at, value) in [system, count, self.power].into_iter().enumerate() {
            out[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
        }
        for (at, word) in [self.circuit_hash, self.ptau, self.initial].into_iter().enumerate() {
            out[16 + 32 * at..48 + 32 * at].copy_from_slice(&word);
        }
        out
    }

    /// Errors (Format): not what `to_bytes` writes.
    pub fn from_bytes(bytes: &[u8; HEAD]) -> Result<Self> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let word = |at: usize| {
            let mut word = [0; 32];
            word.copy_from_slice(&bytes[at..at + 32]);
            word
        };
        let system = match number(0) {
            1 => System::Groth16,
            2 => System::Cg16,
            other => return Err(malformed(format!("unknown proof system {other}"))),
        };
        let head = Head { system, power: number(8), circuit_hash: word(16), ptau: word(48), initial: word(80) };
        match head.to_bytes() == *bytes {
            true => Ok(head),
            false => Err(malformed("the head has other trapdoors, or something where zeros are due")),
        }
    }

    /// The transcript before the first contribution.
    pub fn hash(&self) -> Word {
        keccak(&[START, &self.to_bytes()])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Contribution = 1,
    Drand,
    Hash,
    /// By snarkjs on a .zkey, with a proof of its own kind.
    Snarkjs,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Contribution, Kind::Drand, Kind::Hash, Kind::Snarkjs];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Contribution => "contribution",
            Kind::Drand => "drand beacon",
            Kind::Hash => "hash beacon",
            Kind::Snarkjs => "contribution by snarkjs",
        }
    }
}

/// Who contributed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub kind: Kind,
    pub name: String,
    /// Empty for contributions; see `beacon` for the others.
    pub source: Vec<u8>,
}

impl Origin {
    /// Errors (Argument): a name that is empty, too long or not plain text, or a source that is too long.
    pub fn new(kind: Kind, name: &str, source: &[u8]) -> Result<Self> {
        let plain = name.chars().all(|c| !FORBIDDEN.iter().any(|range| range.contains(&u32::from(c))));
        if name.is_empty() || name.len() > LONGEST_NAME || !plain {
            let text = format!("name: expected 1 to {LONGEST_NAME} bytes of plain text, got {name:?}");
            return Err(Error::Argument(text));
        }
        if u16::try_from(source.len()).is_err() {
            return Err(Error::Argument(format!("source: {} bytes are too many", source.len())));
        }
        Ok(Origin { kind, name: name.into(), source: source.into() })
    }

    /// The hash that proofs of this contribution are bound to.
    pub fn context(&self, before: &Word) -> Word {
        keccak(&[CONTEXT, before, &[self.kind as u8], &keccak(&[self.name.as_bytes()]), &keccak(&[&self.source])])
    }
}

/// What a contribution does to one trapdoor, and the proof (R, s) that it was known what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub new: Pair,
    /// [secret]1
    pub secret: G1Affine,
    pub nonce: G1Affine,
    pub answer: Fr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub origin: Origin,
    /// One for each trapdoor.
    pub steps: Vec<Step>,
    /// The digest of each divided section, by trapdoor.
    pub digests: Vec<Word>,
}

/// How many sections are divided in a system.
fn divided(system: System) -> usize {
    trapdoors(system).iter().map(|trapdoor| trapdoor.sections.len()).sum()
}

impl Record {
    /// How many bytes a record of this origin takes.
    pub fn length(system: System, origin: &Origin) -> usize {
        let own = FIXED + origin.name.len() + origin.source.len();
        own + STEP * trapdoors(system).len() + BYTES * divided(system)
    }

    pub fn to_bytes(&self, system: System) -> Vec<u8> {
        let Origin { kind, name, source } = &self.origin;
        let length = Self::length(system, &self.origin);
        let mut out = Vec::with_capacity(length);
        out.extend((length as u32).to_le_bytes());
        out.extend([*kind as u8, name.len() as u8]);
        out.extend((source.len() as u16).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(source);
        for step in &self.steps {
            out.extend(encode_g1(&step.new.g1));
            out.extend(encode_g2(&step.new.g2));
            out.extend(encode_g1(&step.secret));
            out.extend(encode_g1(&step.nonce));
            out.extend(field::to_be(&step.answer));
        }
        self.digests.iter().for_each(|digest| out.extend(digest));
        out
    }

    /// The record at the beginning of `bytes`, and how many of them it takes. Errors: malformed, truncated, a point
    /// off its curve or subgroup or infinity.
    pub fn from_bytes(system: System, bytes: &[u8]) -> Parse<(Self, usize)> {
        let mut rest = bytes;
        let length = take::<4>(&mut rest).map(|b| u32::from_le_bytes(b) as usize)?;
        let [kind, name_length] = take::<2>(&mut rest)?;
        let source_length = take::<2>(&mut rest).map(u16::from_le_bytes)?;
        let kind = Kind::ALL.into_iter().find(|k| *k as u8 == kind);
        let kind = kind.ok_or_else(|| String::from("a kind of contribution that is not known here"))?;
        let name = slice(&mut rest, usize::from(name_length))?;
        let name = std::str::from_utf8(name).map_err(|_| String::from("a name that is not text"))?;
        let source = slice(&mut rest, usize::from(source_length))?;
        let origin = Origin::new(kind, name, source).map_err(|e| e.to_string())?;
        if Self::length(system, &origin) != length {
            return Err(format!("a record says that it has {length} bytes, which it cannot have"));
        }
        let steps = trapdoors(system).iter().map(|_| Step::read(&mut rest, kind)).collect::<Parse<_>>()?;
        let digests = (0..divided(system)).map(|_| take::<32>(&mut rest)).collect::<Parse<_>>()?;
        Ok((Record { origin, steps, digests }, length))
    }

    /// The transcript with this record, whose bytes are `record`: the attestation.
    pub fn hash(before: &Word, record: &[u8]) -> Word {
        keccak(&[RECORD, before, record])
    }
}

impl Step {
    /// snarkjs does not say what the trapdoor is in G2, but for the last contribution: zeros stand for it.
    fn read(rest: &mut &[u8], kind: Kind) -> Parse<Self> {
        let new = Pair { g1: g1(rest, "the trapdoor in G1")?, g2: g2(rest, kind == Kind::Snarkjs)? };
        let (secret, nonce) = (g1(rest, "the secret's point")?, g1(rest, "the proof's point")?);
        let answer =
            field::from_be(&take::<BYTES>(rest)?).ok_or_else(|| String::from("the proof's scalar is not below r"))?;
        Ok(Step { new, secret, nonce, answer })
    }
}

fn slice<'a>(rest: &mut &'a [u8], count: usize) -> Parse<&'a [u8]> {
    let parts = rest.split_at_checked(count).ok_or_else(|| String::from("a record is truncated"))?;
    *rest = parts.1;
    Ok(parts.0)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Parse<[u8; N]> {
    let mut out = [0; N];
    out.copy_from_slice(slice(rest, N)?);
    Ok(out)
}

fn g1(rest: &mut &[u8], what: &str) -> Parse<G1Affine> {
    let point = decode_g1(slice(rest, G1_BYTES)?, what).map_err(|e| e.to_string())?;
    match point.is_zero() {
        true => Err(format!("{what} is infinity")),
        false => Ok(point),
    }
}

fn g2(rest: &mut &[u8], or_zeros: bool) -> Parse<G2Affine> {
    let point = decode_g2(slice(rest, G2_BYTES)?, "the trapdoor in G2").map_err(|e| e.to_string())?;
    match point.is_zero() && !or_zeros {
        true => Err(String::from("the trapdoor in G2 is infinity")),
        false => Ok(point),
    }
}
