//! Proving keys of snarkjs (.zkey, version 1, Groth16), which are mapped and checked.
//!
//! | section | content |
//! |---|---|
//! | 1 | protocol u32 = 1 |
//! | 2 | p, r, wires u32, public wires u32, domain size u32, alpha1, beta1, beta2, gamma2, delta1, delta2 |
//! | 3 | IC: [K_j] of the one and the public wires |
//! | 4 | count u32, then of A and B: matrix u32, row u32, wire u32, coefficient * R^2 mod r |
//! | 5, 6, 7 | [u_j]1, [v_j]1, [v_j]2 of all wires |
//! | 8 | [K_j / delta]1 of the private wires |
//! | 9 | [l_(2i+1) / delta]1, l the Lagrange basis of the domain of twice the size |
//! | 10 | contributions, not read |
//!
//! Opening checks all sizes, all coefficients and the verifying key; the points of sections 5 to 9 are checked when
//! they are first used, or by `check_points`.
//!
//! snarkjs may put infinity for tau^(2n-1), which would let all rows be off by a common slack; only a row whose B and C
//! are zero identically prevents it (protocol.md section 1). The rows wire_j * 0 = 0 of the one and the public wires,
//! which snarkjs appends, are such rows; a key that does not end with them is refused. C is not in the file, so whether
//! a row of another kind has C = 0 cannot be seen.

use std::path::Path;
use std::sync::OnceLock;

use ark_ff::MontConfig;
use rayon::prelude::*;

use crate::circom::container::{count, is_below, limbs, Kind, Reader, Sections, Source, R, WORD};
use crate::circom::points::Points;
use crate::circom::subgroup::all_in_subgroup;
use crate::error::{Error, Result};
use crate::kernel::curve::{self, Curve, G1Affine, G2Affine, G1, G2};
use crate::kernel::fft;
use crate::kernel::field::{lowered, Fr, Limbs};
use crate::monitor::Monitor;
use crate::system::System;
use crate::tie::Constants;
use crate::verify::VerifyingKey;

pub const KIND: Kind = Kind { what: ".zkey file", magic: *b"zkey", version: 1 };
const GROTH16: u32 = 1;
const COEFFICIENT: usize = 12 + WORD;
/// The coefficients of one task.
const TASK: usize = 1 << 12;
/// The rows of one task.
const ROWS: usize = 1 << 11;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Part {
    Protocol = 1,
    Header,
    Ic,
    Coefficients,
    A,
    B1,
    B2,
    C,
    H,
}

/// One entry of A or B.
struct Coefficient<'a>(&'a [u8]);

impl Coefficient<'_> {
    fn word(&self, i: usize) -> usize {
        count(u32::from_le_bytes([self.0[4 * i], self.0[4 * i + 1], self.0[4 * i + 2], self.0[4 * i + 3]]))
    }

    fn matrix(&self) -> usize {
        self.word(0)
    }

    fn row(&self) -> usize {
        self.word(1)
    }

    fn wire(&self) -> usize {
        self.word(2)
    }

    /// The coefficient times R^2, mod r.
    fn value(&self) -> Limbs {
        limbs(&self.0[12..])
    }
}

/// The value of the coefficient 1: R^2 mod r.
const ONE: Limbs = <ark_bn254::FrConfig as MontConfig<4>>::R2.0;

/// An opened key.
pub struct Zkey {
    source: Source,
    sections: Sections,
    pub n_wires: usize,
    pub n_public: usize,
    pub domain_size: usize,
    pub constants: Constants,
    pub vk: VerifyingKey,
    /// Whether coefficients come in order of their rows.
    sorted: bool,
    /// For each of A, B1, B2, C, H: the indices of points other than infinity, once the points have been checked.
    finite: [OnceLock<Vec<u32>>; 5],
}

impl Zkey {
    /// Maps a key. The file must not change while it is in use. Errors: those of `parse` and of the file system.
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(Source::open(path)?)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::parse(Source::Owned(bytes))
    }

    /// Errors: Format (malformed, another protocol or curve, a coefficient out of range, a point of the header off its
    /// curve), UnsafeKey (gamma, delta equal up to sign, trapdoors that differ between the groups, no dummy rows).
    fn parse(source: Source) -> Result<Self> {
        let sections = Sections::parse(KIND, &source)?;
        let mut protocol = Reader::new(KIND, &source[sections.range(Part::Protocol as u32)?]);
        if protocol.u32()? != GROTH16 {
            return Err(KIND.error("not a Groth16 key"));
        }
        protocol.end()?;
        let header = Header::read(&source[sections.range(Part::Header as u32)?])?;
        header.check_sizes(&sections)?;
        let entries = &source[sections.range(Part::Coefficients as u32)?];
        let announced = count(Reader::new(KIND, entries).u32()?);
        if announced.checked_mul(COEFFICIENT) != Some(entries.len() - 4) {
            return Err(KIND.error(format!("section 4: {announced} coefficients in {} bytes", entries.len())));
        }
        let ic = Points::<G1>::new(&source[sections.range(Part::Ic as u32)?]);
        let (constants, vk) = header.verifying_key(ic)?;
        let Header { n_wires, n_public, domain_size, .. } = header;
        let finite = [(); 5].map(|()| OnceLock::new());
        let mut key = Zkey { sections, n_wires, n_public, domain_size, constants, vk, sorted: false, finite, source };
        let last_row = key.check_coefficients()?;
        key.sorted = key.is_sorted();
        key.check_dummy_rows(last_row)?;
        Ok(key)
    }

    pub fn file_size(&self) -> usize {
        self.source.len()
    }

    pub fn coefficient_count(&self) -> usize {
        self.coefficients().map_or(0, |bytes| bytes.len() / COEFFICIENT)
    }

    fn part(&self, part: Part) -> Result<&[u8]> {
        Ok(&self.source[self.sections.range(part as u32)?])
    }

    fn coefficients(&self) -> Result<&[u8]> {
        Ok(&self.part(Part::Coefficients)?[4..])
    }

    /// The last row that has an entry. Errors: an entry out of range, no entries.
    fn check_coefficients(&self) -> Result<usize> {
        let check = |(i, bytes): (usize, &[u8])| {
            let entry = Coefficient(bytes);
            let inside = entry.matrix() < 2 && entry.row() < self.domain_size && entry.wire() < self.n_wires;
            match inside && is_below(&entry.value(), &R) {
                true => Ok(entry.row()),
                false => Err(KIND.error(format!("coefficient {i}: matrix, row, wire or value is out of range"))),
            }
        };
        let entries = self.coefficients()?.par_chunks_exact(COEFFICIENT).enumerate().with_min_len(TASK);
        let last = entries.map(check).try_reduce_with(|x, y| Ok(x.max(y)));
        last.unwrap_or_else(|| Err(self.no_dummy_rows()))
    }

    fn is_sorted(&self) -> bool {
        let row = |bytes: &[u8]| Coefficient(bytes).row();
        self.coefficients().is_ok_and(|bytes| {
            let later = bytes.get(COEFFICIENT..).unwrap_or(&[]);
            let pairs = bytes.par_chunks_exact(COEFFICIENT).zip(later.par_chunks_exact(COEFFICIENT));
            pairs.with_min_len(TASK).all(|(x, y)| row(x) <= row(y))
        })
    }

    /// Errors: the last n_public + 1 rows that have entries are not wire_j * 0, j = 0 .. n_public, with one entry each.
    fn check_dummy_rows(&self, last_row: usize) -> Result<()> {
        let first = last_row.checked_sub(self.n_public).ok_or_else(|| self.no_dummy_rows())?;
        let entries = self.coefficients()?.par_chunks_exact(COEFFICIENT).with_min_len(TASK).map(Coefficient);
        let mut wires: Vec<u32> = entries
            .filter(|entry| entry.row() >= first)
            .map(|entry| {
                let is_dummy = entry.matrix() == 0 && entry.row() - first == entry.wire() && entry.value() == ONE;
                is_dummy.then_some(entry.wire() as u32).ok_or_else(|| self.no_dummy_rows())
            })
            .collect::<Result<_>>()?;
        wires.par_sort_unstable();
        match wires.len() == self.n_public + 1 && wires.iter().enumerate().all(|(j, wire)| j == *wire as usize) {
            true => Ok(()),
            false => Err(self.no_dummy_rows()),
        }
    }

    fn no_dummy_rows(&self) -> Error {
        Error::UnsafeKey(format!(
            "{}: the rows wire_j * 0 = 0 of the one and the {} public wires are not its last rows: without them a proof \
             may say nothing",
            KIND.what, self.n_public
        ))
    }

    /// A z and B z over the domain. `wires` are all `n_wires` wires z, and `low` the same divided by R.
    pub fn row_values(&self, wires: &[Fr], low: &[Fr]) -> Result<[Vec<Fr>; 2]> {
        let entries = self.coefficients()?;
        let total = entries.len() / COEFFICIENT;
        let entry = |i: usize| Coefficient(&entries[i * COEFFICIENT..(i + 1) * COEFFICIENT]);
        let rows = if self.sorted { ROWS } else { self.domain_size };
        let mut values = [(); 2].map(|()| vec![Fr::default(); self.domain_size]);
        let minus_one: Limbs = (-lowered(ONE)).0 .0;
        let [a, b] = &mut values;
        a.par_chunks_mut(rows).zip(b.par_chunks_mut(rows)).enumerate().for_each(|(block, (a, b))| {
            let first = block * rows;
            let start = if self.sorted { partition_point(total, |i| entry(i).row() < first) } else { 0 };
            let inside = (start..total).map(entry).take_while(|e| e.row() < first + rows);
            for e in inside {
                let slot = if e.matrix() == 0 { &mut a[e.row() - first] } else { &mut b[e.row() - first] };
                match e.value() {
                    ONE => *slot += wires[e.wire()],
                    value if value == minus_one => *slot -= wires[e.wire()],
                    // (c R^2 as Montgomery limbs) is c R, times z / R.
                    value => *slot += lowered(value) * low[e.wire()],
                }
            }
        });
        Ok(values)
    }

    /// The points of a query, and the indices of those other than infinity. When a query is first used, all its points
    /// are checked to be on the curve.
    pub(super) fn query<C: Curve>(&self, part: Part) -> Result<(Points<'_, C>, &[u32])> {
        let points = Points::<C>::new(self.part(part)?);
        let slot = &self.finite[part as usize - Part::A as usize];
        if let Some(finite) = slot.get() {
            return Ok((points, finite));
        }
        if let Some(i) = points.first_invalid() {
            return Err(KIND.error(format!("point {i} of section {} is not on its curve", part as u32)));
        }
        Ok((points, slot.get_or_init(|| points.finite())))
    }

    /// Checks that every point is on its curve, and those of G2 in the subgroup of order r (error 2^-120).
    pub fn check_points(&self, monitor: &dyn Monitor) -> Result<()> {
        for (part, fraction) in [(Part::A, 0.0), (Part::B1, 0.2), (Part::C, 0.4), (Part::H, 0.6)] {
            monitor.step("zkey: points", fraction)?;
            self.query::<G1>(part)?;
        }
        monitor.step("zkey: points", 0.8)?;
        let (points, finite) = self.query::<G2>(Part::B2)?;
        match all_in_subgroup(&points.gather(finite), monitor)? {
            true => Ok(()),
            false => Err(KIND.error("a point of section 7 is not in the subgroup of order r of G2")),
        }
    }
}

/// The first index below `count` for which `before` does not hold.
fn partition_point(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

struct Header {
    n_wires: usize,
    n_public: usize,
    domain_size: usize,
    /// alpha, beta, delta
    g1: [G1Affine; 3],
    /// beta, gamma, delta
    g2: [G2Affine; 3],
}

impl Header {
    fn read(data: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(KIND, data);
        reader.base_field()?;
        reader.scalar_field()?;
        let [n_wires, n_public, domain_size] = [reader.u32()?, reader.u32()?, reader.u32()?].map(count);
        let (alpha, beta1) = (point::<G1>(&mut reader, "alpha1")?, point::<G1>(&mut reader, "beta1")?);
        let (beta2, gamma2) = (point::<G2>(&mut reader, "beta2")?, point::<G2>(&mut reader, "gamma2")?);
        let (delta1, delta2) = (point::<G1>(&mut reader, "delta1")?, point::<G2>(&mut reader, "delta2")?);
        reader.end()?;
        if n_public >= n_wires {
            return Err(KIND.error(format!("{n_public} public wires of {n_wires}")));
        }
        if !domain_size.is_power_of_two() || !fft::is_domain_size(domain_size) || n_public >= domain_size {
            return Err(KIND.error(format!("domain size {domain_size} with {n_public} public wires")));
        }
        Ok(Header { n_wires, n_public, domain_size, g1: [alpha, beta1, delta1], g2: [beta2, gamma2, delta2] })
    }

    fn check_sizes(&self, sections: &Sections) -> Result<()> {
        let private = self.n_wires - self.n_public - 1;
        let sizes = [
            (Part::Ic, self.n_public + 1, curve::G1_BYTES),
            (Part::A, self.n_wires, curve::G1_BYTES),
            (Part::B1, self.n_wires, curve::G1_BYTES),
            (Part::B2, self.n_wires, curve::G2_BYTES),
            (Part::C, private, curve::G1_BYTES),
            (Part::H, self.domain_size, curve::G1_BYTES),
        ];
        sizes.iter().try_for_each(|(part, count, size)| sections.exactly(*part as u32, *count, *size).map(|_| ()))
    }

    /// The constants and the verifying key. They are read from the verifying key's own encoding, so that all its checks
    /// apply.
    fn verifying_key(&self, ic: Points<'_, G1>) -> Result<(Constants, VerifyingKey)> {
        if let Some(i) = ic.first_invalid() {
            return Err(KIND.error(format!("IC: point {i} is not on the curve")));
        }
        let ([alpha1, beta1, delta1], [beta2, _, delta2]) = (self.g1, self.g2);
        let mut bytes = curve::encode_g1(&alpha1).to_vec();
        self.g2.iter().for_each(|point| bytes.extend(curve::encode_g2(point)));
        (0..ic.len()).for_each(|i| bytes.extend(curve::encode_g1(&ic.get(i))));
        let vk = VerifyingKey::from_bytes(System::Groth16, self.n_public, [0; 32], &bytes).map_err(|e| match e {
            Error::KeyFormat(text) => KIND.error(text),
            Error::UnsafeKey(text) => Error::UnsafeKey(format!("{}: {text}; contribute to the key first", KIND.what)),
            other => other,
        })?;
        let constants = Constants { alpha1, beta1, delta1, beta2, delta2, eta1: None };
        constants.check(&vk).map_err(|e| match e {
            Error::UnsafeKey(text) => Error::UnsafeKey(format!("{}: {text}", KIND.what)),
            other => other,
        })?;
        Ok((constants, vk))
    }
}

/// A point other than infinity with canonical coordinates, on its curve.
fn point<C: Curve>(reader: &mut Reader<'_>, name: &str) -> Result<ark_ec::short_weierstrass::Affine<C>> {
    let points = Points::<C>::new(reader.take(Points::<C>::SIZE)?);
    match points.is_valid(0) && !points.is_infinity(0) {
        true => Ok(points.get(0)),
        false => Err(KIND.error(format!("{name} is not a point of its curve"))),
    }
}
