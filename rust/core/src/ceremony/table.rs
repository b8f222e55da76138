//! The trapdoors of phase 2, one row each. Whatever a ceremony does it does for every row of its system.

use ark_ec::AffineRepr;

use crate::error::Result;
use crate::kernel::curve::{
    decode_g2, encode_g2, Curve, G1Affine, G2Affine, StoredG1, StoredG2, G1, G1_BYTES, G2, G2_BYTES,
};
use crate::key::{KeyWriter, ProvingKey, Section};
use crate::system::System;

/// Where a trapdoor x stands in a key, and what is divided by it.
#[derive(Debug, PartialEq, Eq)]
pub struct Trapdoor {
    pub label: &'static str,
    /// The place of [x]1 in ConstantsG1.
    g1: usize,
    /// The place of [x]2 in ConstantsG2, if it is there.
    g2: Option<usize>,
    /// The place of [x]2 among the verifying key's points of G2, which come after one point of G1.
    verifying: usize,
    /// The sections that are over x.
    pub sections: &'static [Section],
}

const DELTA: Trapdoor =
    Trapdoor { label: "delta", g1: 2, g2: Some(1), verifying: 2, sections: &[Section::KPoints, Section::HPoints] };
const ETA: Trapdoor = Trapdoor { label: "eta", g1: 3, g2: None, verifying: 3, sections: &[Section::CommittedPoints] };

/// The trapdoors of a system, in the order in which records hold them.
pub fn trapdoors(system: System) -> &'static [Trapdoor] {
    const GROTH16: [Trapdoor; 1] = [DELTA];
    const CG16: [Trapdoor; 2] = [DELTA, ETA];
    match system {
        System::Groth16 => &GROTH16,
        System::Cg16 => &CG16,
    }
}

/// A trapdoor x as [x]1 and [x]2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    pub g1: G1Affine,
    pub g2: G2Affine,
}

impl Pair {
    /// x = 1.
    pub fn one() -> Self {
        Pair { g1: G1Affine::generator(), g2: G2Affine::generator() }
    }
}

impl Trapdoor {
    fn verifying_range(&self) -> std::ops::Range<usize> {
        let start = G1_BYTES + self.verifying * G2_BYTES;
        start..start + G2_BYTES
    }

    /// The trapdoor's points in a key, whose constants have been checked.
    pub fn of_key(&self, key: &ProvingKey) -> Result<Pair> {
        let constants: &[StoredG1] = key.section(Section::ConstantsG1)?;
        let verifying: &[u8] = key.section(Section::VerifyingKey)?;
        Ok(Pair { g1: G1::load(&constants[self.g1]), g2: decode_g2(&verifying[self.verifying_range()], self.label)? })
    }

    /// Puts the trapdoor's points wherever a key has them.
    pub fn put(&self, constants: &mut Constants, pair: &Pair) {
        constants.g1[self.g1] = G1::store(&pair.g1);
        if let Some(at) = self.g2 {
            constants.g2[at] = G2::store(&pair.g2);
        }
        constants.verifying[self.verifying_range()].copy_from_slice(&encode_g2(&pair.g2));
    }
}

/// The sections that hold points of trapdoors beside others.
#[derive(Clone, PartialEq, Eq)]
pub struct Constants {
    verifying: Vec<u8>,
    g1: Vec<StoredG1>,
    g2: Vec<StoredG2>,
}

impl Constants {
    pub const SECTIONS: [Section; 3] = [Section::VerifyingKey, Section::ConstantsG1, Section::ConstantsG2];

    pub fn of_key(key: &ProvingKey) -> Result<Self> {
        Ok(Constants {
            verifying: key.section(Section::VerifyingKey)?.to_vec(),
            g1: key.section(Section::ConstantsG1)?.to_vec(),
            g2: key.section(Section::ConstantsG2)?.to_vec(),
        })
    }

    pub fn write(&self, writer: &mut KeyWriter) -> Result<()> {
        writer.section(Section::VerifyingKey)?.copy_from_slice(&self.verifying);
        writer.section(Section::ConstantsG1)?.copy_from_slice(&self.g1);
        writer.section(Section::ConstantsG2)?.copy_from_slice(&self.g2);
        Ok(())
    }
}

/// The sections that no contribution touches.
pub fn untouched(system: System) -> impl Iterator<Item = Section> {
    let divided = move |section| trapdoors(system).iter().any(|trapdoor| trapdoor.sections.contains(&section));
    Section::ALL.into_iter().filter(move |section| !divided(*section) && !Constants::SECTIONS.contains(section))
}
