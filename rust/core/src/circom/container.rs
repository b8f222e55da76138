//! The binary container of iden3, which .r1cs, .wtns, .zkey and .ptau share.
//!
//! ```text
//! magic (4 bytes) | version u32 | number of sections u32 | sections: type u32, size u64, content
//! ```
//!
//! All integers are little-endian.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;

use ark_ff::{BigInt, PrimeField};
use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::kernel::field::{Fp, Fr, Limbs};

/// More sections than any of these files has.
const MOST_SECTIONS: u32 = 64;
const HEADER: usize = 12;
pub const WORD: usize = 32;

/// The bytes of a file: mapped, or in memory.
pub enum Source {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Source {
    /// Maps a file read-only. The file must not change while it is in use.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() < HEADER as u64 {
            return Ok(Source::Owned(Vec::new()));
        }
        // SAFETY: the map is private and read-only; as with every mapped file, truncating it meanwhile is not
        // supported.
        Ok(Source::Mapped(unsafe { Mmap::map(&file)? }))
    }
}

impl Deref for Source {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Source::Mapped(map) => map,
            Source::Owned(bytes) => bytes,
        }
    }
}

/// The kind of a file; `what` is its name in messages, such as ".zkey file".
#[derive(Clone, Copy)]
pub struct Kind {
    pub what: &'static str,
    pub magic: [u8; 4],
    pub version: u32,
}

impl Kind {
    pub fn error(&self, text: impl std::fmt::Display) -> Error {
        Error::Format(format!("{}: {text}", self.what))
    }
}

/// The place of each section.
pub struct Sections {
    pub kind: Kind,
    ranges: Vec<(u32, Range<usize>)>,
}

impl Sections {
    /// Errors (Format): another kind or version, a section that ends beyond the file or occurs twice, bytes left over.
    pub fn parse(kind: Kind, data: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(kind, data);
        if reader.take(4).ok() != Some(&kind.magic) {
            return Err(kind.error(format!("expected it to begin with {:?}", String::from_utf8_lossy(&kind.magic))));
        }
        let (version, count) = (reader.u32()?, reader.u32()?);
        if version != kind.version {
            return Err(kind.error(format!("expected version {}, got {version}", kind.version)));
        }
        if count > MOST_SECTIONS {
            return Err(kind.error(format!("expected at most {MOST_SECTIONS} sections, got {count}")));
        }
        let mut ranges: Vec<(u32, Range<usize>)> = Vec::new();
        for _ in 0..count {
            let (id, size) = (reader.u32()?, reader.u64()?);
            let range = reader.skip(size)?;
            if ranges.iter().any(|(other, _)| *other == id) {
                return Err(kind.error(format!("section {id} occurs twice")));
            }
            ranges.push((id, range));
        }
        reader.end()?;
        Ok(Sections { kind, ranges })
    }

    /// The place of a section that must be there.
    pub fn range(&self, id: u32) -> Result<Range<usize>> {
        self.optional(id).ok_or_else(|| self.kind.error(format!("section {id} is missing")))
    }

    pub fn optional(&self, id: u32) -> Option<Range<usize>> {
        self.ranges.iter().find(|(other, _)| *other == id).map(|(_, range)| range.clone())
    }

    /// The place of a section of exactly `count * size` bytes.
    pub fn exactly(&self, id: u32, count: usize, size: usize) -> Result<Range<usize>> {
        let range = self.range(id)?;
        if count.checked_mul(size) == Some(range.len()) {
            return Ok(range);
        }
        Err(self
            .kind
            .error(format!("section {id}: expected {count} elements of {size} bytes, got {} bytes", range.len())))
    }
}

/// Reads integers from a slice, never past its end.
pub struct Reader<'a> {
    kind: Kind,
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(kind: Kind, data: &'a [u8]) -> Self {
        Reader { kind, data, at: 0 }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let range = self.skip(count as u64)?;
        Ok(&self.data[range])
    }

    fn skip(&mut self, count: u64) -> Result<Range<usize>> {
        let left = self.data.len() - self.at;
        match usize::try_from(count).ok().filter(|n| *n <= left) {
            Some(count) => {
                let start = self.at;
                self.at += count;
                Ok(start..self.at)
            }
            None => Err(self.kind.error(format!("truncated: expected {count} bytes more, {left} are left"))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub fn position(&self) -> usize {
        self.at
    }

    /// Errors: not everything has been read.
    pub fn end(&self) -> Result<()> {
        match self.data.len() - self.at {
            0 => Ok(()),
            left => Err(self.kind.error(format!("{left} bytes too many"))),
        }
    }

    /// Reads the element size and the modulus that a header announces. Errors: they are not 32 bytes and `modulus`.
    fn modulus(&mut self, modulus: Limbs, name: &str) -> Result<()> {
        if self.u32()? as usize == WORD && limbs(self.take(WORD)?) == modulus {
            return Ok(());
        }
        Err(self.kind.error(format!("expected elements of BN254's {name} field in 32 bytes; compile for bn128")))
    }

    pub fn scalar_field(&mut self) -> Result<()> {
        self.modulus(R, "scalar")
    }

    pub fn base_field(&mut self) -> Result<()> {
        self.modulus(P, "base")
    }
}

pub const R: Limbs = Fr::MODULUS.0;
pub const P: Limbs = Fp::MODULUS.0;

/// Four little-endian limbs from the first 32 bytes.
#[inline(always)]
pub fn limbs(bytes: &[u8]) -> Limbs {
    bytemuck::pod_read_unaligned(&bytes[..WORD])
}

#[inline(always)]
pub fn is_below(value: &Limbs, modulus: &Limbs) -> bool {
    BigInt(*value) < BigInt(*modulus)
}

/// A count from a 32-bit field.
pub fn count(value: u32) -> usize {
    value as usize
}
