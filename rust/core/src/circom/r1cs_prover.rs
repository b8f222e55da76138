//! The prover for constraint files: a key of our own format that was made for the same .r1cs, kept open with its rows.

use std::collections::HashMap;

use ark_ff::{AdditiveGroup, Field};
use zeroize::Zeroizing;

use crate::circom::r1cs::{R1cs, Side, BLOCK_ROWS};
use crate::error::{Error, Result};
use crate::kernel::field::{Fr, BYTES};
use crate::key::ProvingKey;
use crate::memory::{collect, room_for};
use crate::monitor::Monitor;
use crate::prove::Assignment;
use crate::verify::Proof;

/// The context of plain Groth16, which has none.
const NO_CTX: [u8; 32] = [0; 32];

/// Rows of a constraint file and the key made for them.
pub struct R1csProver {
    pub key: ProvingKey,
    blocks: Vec<[Block; 3]>,
}

/// Some rows of a matrix. Most coefficients occur often, so they are numbered: a term takes eight bytes, where a
/// coefficient alone would take 32.
struct Block {
    /// Row i has the terms indptr[i] .. indptr[i + 1].
    indptr: Vec<u32>,
    /// The wire of each term, and the number of its coefficient.
    terms: Vec<[u32; 2]>,
    /// 1, -1, and all others that occur, by number.
    coefficients: Vec<Fr>,
}

const ONE: u32 = 0;
const MINUS_ONE: u32 = 1;

impl Block {
    fn new(side: &Side) -> Self {
        let rows = side.rows();
        let mut coefficients = vec![Fr::ONE, -Fr::ONE];
        let mut numbers = HashMap::from([(Fr::ONE, ONE), (-Fr::ONE, MINUS_ONE)]);
        let (mut indptr, mut terms) = (vec![0; rows.count() + 1], Vec::new());
        rows.for_each(|row, wire, coefficient| {
            let number = *numbers.entry(coefficient).or_insert(coefficients.len() as u32);
            if number as usize == coefficients.len() {
                coefficients.push(coefficient);
            }
            terms.push([wire as u32, number]);
            indptr[row + 1] = terms.len() as u32;
        });
        for row in 1..indptr.len() {
            indptr[row] = indptr[row].max(indptr[row - 1]);
        }
        Block { indptr, terms, coefficients }
    }

    /// The sum of coefficient * wire over one row.
    #[inline(always)]
    fn dot(&self, row: usize, wires: &[Fr]) -> Fr {
        let mut sum = Fr::ZERO;
        for [wire, number] in &self.terms[self.indptr[row] as usize..self.indptr[row + 1] as usize] {
            let wire = &wires[*wire as usize];
            match *number {
                ONE => sum += wire,
                MINUS_ONE => sum -= wire,
                number => sum += *wire * self.coefficients[number as usize],
            }
        }
        sum
    }
}

impl R1csProver {
    /// Reads the rows. Memory holds eight bytes per coefficient, and 32 per different coefficient of each block.
    /// Errors: KeyMismatch (the key was made for other constraints), Format.
    pub fn new(key: ProvingKey, r1cs: &R1cs<'_>) -> Result<Self> {
        if key.shape != r1cs.shape() {
            return Err(Error::KeyMismatch("the proving key was made for other constraints than these".into()));
        }
        let mut blocks = Vec::new();
        r1cs.for_each_owned_block(|block| {
            blocks.push([Block::new(&block[0]), Block::new(&block[1]), Block::new(&block[2])]);
            Ok(())
        })?;
        Ok(R1csProver { key, blocks })
    }

    /// A proof for all wires (the one first), which has been verified, and the public wires.
    ///
    /// Errors: KeyMismatch (another number of wires), Unsatisfied, and those of `ProvingKey::prove`.
    pub fn prove<'w>(&self, wires: &'w [Fr], monitor: &dyn Monitor) -> Result<(Proof, &'w [Fr])> {
        let shape = &self.key.shape;
        if wires.len() != shape.n_wires {
            let (expected, got) = (shape.n_wires, wires.len());
            return Err(Error::KeyMismatch(format!("witness: the key expects {expected} wires, got {got}")));
        }
        monitor.step("rows", 0.0)?;
        room_for(monitor, "prove", 3 * BYTES * shape.n_rows + self.key.least_memory())?;
        let value = |side: usize, row: usize| self.blocks[row / BLOCK_ROWS][side].dot(row % BLOCK_ROWS, wires);
        let values = |side: usize| Zeroizing::new(collect(shape.n_rows, |row| value(side, row)));
        let [a, b, c] = &[values(0), values(1), values(2)];
        let public = &wires[1..=shape.n_public];
        let proof = self.key.prove(&Assignment { wires, a, b, c }, None, public, &NO_CTX, monitor)?;
        Ok((proof, public))
    }
}
