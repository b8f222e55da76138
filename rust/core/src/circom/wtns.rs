//! Witness files (.wtns, version 2): all wires of an assignment, the first of which is 1.
//!
//! ```text
//! section 1: element size u32 = 32, r, number of wires u32;   section 2: the wires, 32 bytes each
//! ```

use ark_ff::Field;
use rayon::prelude::*;

use crate::circom::container::{count, is_below, limbs, Kind, Reader, Sections, R, WORD};
use crate::error::Result;
use crate::kernel::field::{lowered, Fr, MONTGOMERY_R};
use crate::memory::collect;

pub const KIND: Kind = Kind { what: ".wtns file", magic: *b"wtns", version: 2 };
const HEADER: u32 = 1;
const VALUES: u32 = 2;

/// The wires. Errors (Format): malformed, another field, an element not below r, wire 0 is not 1.
pub fn parse(data: &[u8]) -> Result<Vec<Fr>> {
    let sections = Sections::parse(KIND, data)?;
    let mut head = Reader::new(KIND, &data[sections.range(HEADER)?]);
    head.scalar_field()?;
    let wires = count(head.u32()?);
    head.end()?;
    let values = &data[sections.exactly(VALUES, wires, WORD)?];
    let element = |i: usize| limbs(&values[WORD * i..]);
    if let Some(i) = (0..wires).into_par_iter().with_min_len(4096).find_any(|i| !is_below(&element(*i), &R)) {
        return Err(KIND.error(format!("element {i} is not below r")));
    }
    let out = collect(wires, |i| lowered(element(i)) * MONTGOMERY_R);
    if out.first() == Some(&Fr::ONE) {
        return Ok(out);
    }
    Err(KIND.error("expected wire 0 to be 1"))
}
