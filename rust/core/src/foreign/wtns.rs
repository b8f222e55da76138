//! Witness files (.wtns, version 2): all wires of an assignment, wire 0 = 1 first.
//!
//! ```text
//! section 1: element size u32 = 32, r, number of wires u32;   section 2: the wires, 32 bytes each
//! ```

use ark_ff::Field;
use rayon::prelude::*;

use crate::error::Result;
use crate::field::{self, Fr};
use crate::foreign::container::{count, limbs, Kind, Reader, Sections, WORD};

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
    let one = |i: usize| {
        let value = field::from_canonical(limbs(&values[WORD * i..]));
        value.ok_or_else(|| KIND.error(format!("element {i} is not below r")))
    };
    let out: Vec<Fr> = (0..wires).into_par_iter().with_min_len(1024).map(one).collect::<Result<_>>()?;
    if out.first() == Some(&Fr::ONE) {
        return Ok(out);
    }
    Err(KIND.error("expected wire 0 to be 1"))
}
