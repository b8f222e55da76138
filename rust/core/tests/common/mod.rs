//! Circuits of any size for tests and benches, with their witnesses.

#![allow(dead_code)]

pub mod exercise;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ark_ff::{AdditiveGroup, Field};
use zkchain_core::kernel::field::{fr_from_i64, Fr};
use zkchain_core::key::ProvingKey;
use zkchain_core::monitor::Silent;
use zkchain_core::prove::{Assignment, Commitment};
use zkchain_core::rows::{Coefficients, Rows};
use zkchain_core::setup::SetupBuilder;
use zkchain_core::system::{Shape, System};
use zkchain_core::verify::Proof;
use zkchain_core::Result;

/// Owned sparse rows.
#[derive(Default, Clone)]
pub struct Csr {
    pub indptr: Vec<i64>,
    pub cols: Vec<u32>,
    pub vals: Vec<i64>,
}

impl Csr {
    pub fn new() -> Self {
        Csr { indptr: vec![0], ..Csr::default() }
    }

    pub fn push(&mut self, terms: &[(usize, i64)]) {
        for (col, val) in terms {
            self.cols.push(*col as u32);
            self.vals.push(*val);
        }
        self.indptr.push(self.cols.len() as i64);
    }

    pub fn rows(&self, width: usize) -> Result<Rows<'_>> {
        Rows::new(&self.indptr, &self.cols, Coefficients::Small(&self.vals), width)
    }
}

/// A small generator with a fixed sequence, so that runs repeat.
pub struct Sequence(u64);

impl Sequence {
    pub fn new(seed: u64) -> Self {
        Sequence(seed)
    }

    /// splitmix64
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    pub fn scalar(&mut self) -> Fr {
        (0..5).fold(Fr::ZERO, |acc, _| acc * Fr::from(1u128 << 64) + Fr::from(self.word()))
    }
}

/// A satisfied circuit: rows, and a witness (for cg16 of everything that does not depend on the challenge).
pub struct Sample {
    pub shape: Shape,
    pub a: Csr,
    pub b: Csr,
    pub c: Csr,
    pub wires: Vec<Fr>,
}

/// Row values of a sample under its full witness.
pub struct Values {
    pub wires: Vec<Fr>,
    pub a: Vec<Fr>,
    pub b: Vec<Fr>,
    pub c: Vec<Fr>,
}

impl Values {
    pub fn borrow(&self) -> Assignment<'_> {
        Assignment { wires: &self.wires, a: &self.a, b: &self.b, c: &self.c }
    }
}

impl Sample {
    /// About `rows` rows, one wire each: `full` per mille are products of full-size values, the rest values of 16 bits
    /// that meet themselves in A, B and C. One public word; for cg16 half of the wires are committed.
    pub fn mixed(system: System, rows: usize, full: usize) -> Self {
        let mut random = Sequence::new(rows as u64);
        let (mut a, mut b, mut c) = (Csr::new(), Csr::new(), Csr::new());
        let n_public = if system == System::Cg16 { 2 } else { 1 };
        let word = fr_from_i64(7);
        let mut wires = vec![Fr::ONE];
        wires.resize(1 + n_public, word);
        let first = wires.len();
        wires.extend([word, random.scalar(), random.scalar()]);
        // y = x0 (cg16), and a row that holds the public word (groth16) or the challenge.
        a.push(&[(first, 1)]);
        b.push(&[(0, 1)]);
        c.push(&[(n_public, 1)]);
        let mut last = [first + 1, first + 2];
        for _ in 1..rows.max(2) {
            let j = wires.len();
            if random.below(1000) < full {
                wires.push(wires[last[0]] * wires[last[1]]);
                a.push(&[(last[0], 1)]);
                b.push(&[(last[1], 1)]);
                c.push(&[(j, 1)]);
                last = [last[1], j];
            } else {
                let value = random.below(1 << 16) as i64;
                wires.push(fr_from_i64(value));
                a.push(&[(j, 3)]);
                b.push(&[(j, 1), (0, 1 - value)]);
                c.push(&[(j, 3)]);
            }
        }
        let n_committed = if system == System::Cg16 { (wires.len() - first) / 2 } else { 0 };
        let shape = Shape {
            system,
            n_wires: wires.len(),
            n_public,
            n_committed,
            n_rows: a.indptr.len() - 1,
            instance_length: 1,
            circuit_hash: [7; 32],
        };
        Sample { shape, a, b, c, wires }
    }

    pub fn instance(&self) -> Vec<Fr> {
        vec![fr_from_i64(7)]
    }

    pub fn setup(&self) -> Result<ProvingKey> {
        self.fill(SetupBuilder::new(self.shape)?)
    }

    pub fn fill(&self, mut builder: SetupBuilder) -> Result<ProvingKey> {
        let width = self.shape.n_wires;
        builder.add_rows([self.a.rows(width)?, self.b.rows(width)?, self.c.rows(width)?])?;
        builder.finish(None, &Silent)
    }

    pub fn values(&self, wires: Vec<Fr>) -> Values {
        let width = self.shape.n_wires;
        let product = |m: &Csr| m.rows(width).expect("sample rows").multiply(&wires);
        Values { a: product(&self.a), b: product(&self.b), c: product(&self.c), wires }
    }

    /// Commitment (cg16) and the full witness under its challenge.
    pub fn complete(&self, key: &ProvingKey, ctx: &[u8; 32]) -> Result<(Option<Commitment>, Values)> {
        if self.shape.system == System::Groth16 {
            return Ok((None, self.values(self.wires.clone())));
        }
        let committed = self.wires[self.shape.first_committed()..self.shape.first_private()].to_vec();
        let commitment = key.commit(Arc::new(committed), &Silent)?;
        let mut wires = self.wires.clone();
        wires[1] = key.challenge(&commitment, &self.instance(), ctx)?;
        Ok((Some(commitment), self.values(wires)))
    }

    pub fn prove(&self, key: &ProvingKey) -> Result<Proof> {
        let (commitment, values) = self.complete(key, &[0; 32])?;
        key.prove(&values.borrow(), commitment, &self.instance(), &[0; 32], &Silent)
    }
}

/// A small circuit for each system, and its key's file.
pub fn keyed_samples() -> &'static [(Sample, Vec<u8>); 2] {
    static CELL: OnceLock<[(Sample, Vec<u8>); 2]> = OnceLock::new();
    CELL.get_or_init(|| {
        [System::Groth16, System::Cg16].map(|system| {
            let sample = Sample::mixed(system, 20, 500);
            let key = sample.setup().expect("setup");
            (sample, key.as_bytes().to_vec())
        })
    })
}

/// A file that snarkjs has written.
pub fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/snarkjs");
    std::fs::read(folder.join(name)).expect("fixture")
}
