//! Constraint files (.r1cs, version 1). Rows are read in blocks, and each linear combination is checked as it is read.
//!
//! ```text
//! section 1: field, wires u32, outputs u32, public inputs u32, private inputs u32, labels u64, constraints u32
//! section 2: for each constraint the linear combinations A, B, C: terms u32, then (wire u32, coefficient) each
//! ```
//!
//! Wires are [1, outputs, public inputs, private inputs, rest]. The rows wire_j * 0 = 0 are left to whoever makes a
//! key. The number of private inputs is what the source declares. Circom may have simplified some of them away, and
//! nothing here depends on it. A wire that no constraint uses is legal and takes no byte of section 2, so nothing may
//! be allocated for the number of wires alone.

use crate::circom::container::{count, is_below, limbs, Kind, Reader, Sections, R, WORD};
use crate::error::Result;
use crate::kernel::field::Limbs;
use crate::rows::{Coefficients, Rows};
use crate::system::{Shape, System, MOST};

pub const KIND: Kind = Kind { what: ".r1cs file", magic: *b"r1cs", version: 1 };
const HEADER: u32 = 1;
const CONSTRAINTS: u32 = 2;
/// Custom gates (PLONK's) and where they are used: a count, and what it counts.
const GATES: [u32; 2] = [4, 5];
const NO_GATES: [u8; 4] = [0; 4];
const TERM: usize = 4 + WORD;
/// The rows of a block; the last block may have fewer.
pub const BLOCK_ROWS: usize = 1 << 12;

/// A parsed header over borrowed constraints.
pub struct R1cs<'a> {
    pub n_wires: usize,
    /// The number of outputs and public inputs.
    pub n_public: usize,
    pub n_rows: usize,
    header: &'a [u8],
    constraints: &'a [u8],
}

/// Sparse rows that own their entries.
#[derive(Default)]
pub struct Side {
    indptr: Vec<i64>,
    cols: Vec<u32>,
    vals: Vec<Limbs>,
}

impl Side {
    pub fn rows(&self) -> Rows<'_> {
        Rows::of_checked(&self.indptr, &self.cols, Coefficients::Wide(&self.vals))
    }

    /// Reads the next linear combination. Its terms may be in any order; zero coefficients are dropped.
    fn push(&mut self, reader: &mut Reader<'_>, width: usize) -> Result<()> {
        let start = self.cols.len();
        let terms = count(reader.u32()?);
        let bytes = reader.take(terms.checked_mul(TERM).ok_or_else(|| KIND.error("too many terms"))?)?;
        for term in bytes.chunks_exact(TERM) {
            let wire = u32::from_le_bytes([term[0], term[1], term[2], term[3]]);
            let value = limbs(&term[4..]);
            if wire as usize >= width || !is_below(&value, &R) {
                return Err(KIND.error(format!("wire {wire} of {width}, or its coefficient is not below r")));
            }
            if value != [0; 4] {
                self.cols.push(wire);
                self.vals.push(value);
            }
        }
        let mut wires = self.cols[start..].to_vec();
        wires.sort_unstable();
        if wires.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(KIND.error("a wire occurs twice in one linear combination"));
        }
        self.indptr.push(self.cols.len() as i64);
        Ok(())
    }
}

impl<'a> R1cs<'a> {
    /// Errors (Format): malformed, another field, custom gates, counts that contradict each other or the size.
    pub fn parse(data: &'a [u8]) -> Result<Self> {
        let sections = Sections::parse(KIND, data)?;
        let header = &data[sections.range(HEADER)?];
        let mut reader = Reader::new(KIND, header);
        reader.scalar_field()?;
        let n_wires = count(reader.u32()?);
        let [outputs, public] = [reader.u32()?, reader.u32()?].map(u64::from);
        let (_private, _labels) = (reader.u32()?, reader.u64()?);
        let n_rows = count(reader.u32()?);
        reader.end()?;
        if 1 + outputs + public > n_wires as u64 {
            let text = format!("{n_wires} wires are fewer than the one, {outputs} outputs and {public} public inputs");
            return Err(KIND.error(text));
        }
        if n_wires.max(n_rows) >= MOST {
            return Err(KIND.error(format!("{n_wires} wires, {n_rows} constraints: expected fewer than {MOST}")));
        }
        let gates = GATES.iter().filter_map(|id| sections.optional(*id)).map(|range| &data[range]);
        if gates.into_iter().any(|gates| !gates.is_empty() && gates != NO_GATES) {
            return Err(KIND.error("custom gates are PLONK's and not supported; compile without custom templates"));
        }
        let constraints = &data[sections.range(CONSTRAINTS)?];
        // A constraint has at least three counts of four bytes.
        if n_rows > constraints.len() / 12 {
            return Err(KIND.error(format!("truncated: {n_rows} constraints in {} bytes", constraints.len())));
        }
        Ok(R1cs { n_wires, n_public: (outputs + public) as usize, n_rows, header, constraints })
    }

    /// The circuit as setup needs it. Its hash is blake3 of the header and the constraints.
    pub fn shape(&self) -> Shape {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.header).update(self.constraints);
        Shape {
            system: System::Groth16,
            n_wires: self.n_wires,
            n_public: self.n_public,
            n_committed: 0,
            n_rows: self.n_rows,
            instance_length: self.n_public,
            circuit_hash: *hasher.finalize().as_bytes(),
        }
    }

    /// Calls `each` with the rows in order, `BLOCK_ROWS` at a time.
    ///
    /// Errors (Format): truncated, bytes left over, a wire out of range or twice in one linear combination, a
    /// coefficient not below r; and those of `each`.
    pub fn for_each_block(&self, mut each: impl FnMut([Rows<'_>; 3]) -> Result<()>) -> Result<()> {
        self.for_each_owned_block(|[a, b, c]| each([a.rows(), b.rows(), c.rows()]))
    }

    /// The same for an `each` that keeps the blocks.
    pub fn for_each_owned_block(&self, mut each: impl FnMut([Side; 3]) -> Result<()>) -> Result<()> {
        let mut reader = Reader::new(KIND, self.constraints);
        let mut left = self.n_rows;
        while left > 0 {
            let mut sides = [(); 3].map(|()| Side { indptr: vec![0], ..Side::default() });
            let rows = left.min(BLOCK_ROWS);
            for _ in 0..rows {
                sides.iter_mut().try_for_each(|side| side.push(&mut reader, self.n_wires))?;
            }
            each(sides)?;
            left -= rows;
        }
        reader.end()
    }
}
