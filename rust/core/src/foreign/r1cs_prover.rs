//! The prover for constraint files: a key of our own format, made from the same .r1cs, kept open with its rows.

use crate::error::{Error, Result};
use crate::field::Fr;
use crate::foreign::r1cs::{R1cs, Side, BLOCK_ROWS};
use crate::key::ProvingKey;
use crate::parallel::{collect, Monitor};
use crate::prove::Assignment;
use crate::verify::Proof;

/// No context: plain Groth16 has none.
const NO_CTX: [u8; 32] = [0; 32];

/// Rows of a constraint file and the key made for them.
pub struct R1csProver {
    pub key: ProvingKey,
    blocks: Vec<[Side; 3]>,
}

impl R1csProver {
    /// Memory: the non-zero coefficients. Errors: KeyMismatch (the key was made for other constraints), Format.
    pub fn new(key: ProvingKey, r1cs: &R1cs<'_>) -> Result<Self> {
        if key.shape != r1cs.shape() {
            return Err(Error::KeyMismatch("the proving key was made for other constraints than these".into()));
        }
        let mut blocks = Vec::new();
        r1cs.for_each_owned_block(|block| {
            blocks.push(block);
            Ok(())
        })?;
        Ok(R1csProver { key, blocks })
    }

    /// A proof for all wires (the one first), verified already, and the public wires.
    ///
    /// Errors: KeyMismatch (another number of wires), Unsatisfied, and those of `ProvingKey::prove`.
    pub fn prove<'w>(&self, wires: &'w [Fr], monitor: &dyn Monitor) -> Result<(Proof, &'w [Fr])> {
        let shape = &self.key.shape;
        if wires.len() != shape.n_wires {
            let (expected, got) = (shape.n_wires, wires.len());
            return Err(Error::KeyMismatch(format!("witness: the key expects {expected} wires, got {got}")));
        }
        monitor.step("rows", 0.0)?;
        let values = |side: usize| {
            collect(shape.n_rows, |row| self.blocks[row / BLOCK_ROWS][side].rows().dot(row % BLOCK_ROWS, wires))
        };
        let [a, b, c] = &[values(0), values(1), values(2)];
        let public = &wires[1..=shape.n_public];
        let proof = self.key.prove(&Assignment { wires, a, b, c }, None, public, &NO_CTX, monitor)?;
        Ok((proof, public))
    }
}
