//! The two proof systems and the numbers that describe a circuit to them.

use crate::error::{Error, Result};
use crate::transcript::{Labels, Word, CG16, GROTH16};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Groth16,
    Cg16,
}

impl System {
    pub fn name(self) -> &'static str {
        match self {
            System::Groth16 => "groth16",
            System::Cg16 => "cg16",
        }
    }

    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "groth16" => Ok(System::Groth16),
            "cg16" => Ok(System::Cg16),
            _ => Err(Error::Argument(format!("system: expected groth16 or cg16, got {name:?}"))),
        }
    }

    pub fn labels(self) -> &'static Labels {
        match self {
            System::Groth16 => &GROTH16,
            System::Cg16 => &CG16,
        }
    }

    pub fn proof_bytes(self) -> usize {
        match self {
            System::Groth16 => 256,
            System::Cg16 => 320,
        }
    }
}

/// The sizes of a circuit. Its wires are the one, `n_public` public ones, `n_committed` committed ones, and private
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub system: System,
    pub n_wires: usize,
    /// The number of public wires beside the one: L for groth16, 2 (challenge, compressed instance) for cg16.
    pub n_public: usize,
    pub n_committed: usize,
    /// The number of rows without the dummy rows that setup and prover append.
    pub n_rows: usize,
    /// The length L of the instance.
    pub instance_length: usize,
    pub circuit_hash: Word,
}

/// Wires and rows are counted in 32 bits in the key file.
pub const MOST: usize = 1 << 31;

impl Shape {
    /// Errors: the counts contradict each other.
    pub fn check(&self) -> Result<()> {
        let expected_public = match self.system {
            System::Groth16 => self.instance_length,
            System::Cg16 => 2,
        };
        let parts = [1, self.n_public, self.n_committed];
        let rules = [
            (self.n_public == expected_public, "n_public does not fit the system and the instance length"),
            (self.system == System::Cg16 || self.n_committed == 0, "groth16 has no committed wires"),
            (self.system == System::Groth16 || self.instance_length > 0, "cg16 needs an instance"),
            (self.n_wires < MOST && self.n_rows < MOST, "more than 2^31 wires or rows"),
            (
                parts.iter().try_fold(0usize, |a, b| a.checked_add(*b)).is_some_and(|n| n <= self.n_wires),
                "too few wires",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, broken)) => Err(Error::Argument(format!("circuit: {broken}: {self:?}"))),
        }
    }

    /// The number of rows with the dummy rows `wire_j * 0 = 0` of the one and of each public wire.
    pub fn all_rows(&self) -> usize {
        self.n_rows + self.n_public + 1
    }

    /// The first wire that is neither the one nor public.
    pub fn first_committed(&self) -> usize {
        1 + self.n_public
    }

    /// The first wire that is neither the one, nor public, nor committed.
    pub fn first_private(&self) -> usize {
        1 + self.n_public + self.n_committed
    }
}
