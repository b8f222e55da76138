//! Powers of tau (.ptau, version 1) prepared for phase 2. Files are mapped, and checked as far as a circuit uses them.
//!
//! With power k, N = 2^k and the Lagrange basis L^(m) of the domain of size m, the sections are:
//!
//! | section | content |
//! |---|---|
//! | 1 | p, power u32, power of the ceremony u32 |
//! | 2 | [tau^i]1, i < 2N - 1 |
//! | 3, 4, 5 | [tau^i]2, [alpha tau^i]1, [beta tau^i]1, i < N |
//! | 6 | [beta]2 |
//! | 7 | contributions, not read |
//! | 12 | [L_i^(m)]1 for m = 1, 2, 4 .. 2N, one after the other (m = 2N with infinity for tau^(2N-1)) |
//! | 13, 14, 15 | [L_i^(m)]2, [alpha L_i^(m)]1, [beta L_i^(m)]1 for m = 1, 2, 4 .. N |
//!
//! A domain of size n = 2^log is served by every power k >= log. If k = log, tau^(2n-1) is not there: its powers end at
//! tau^(2n-2), and the Lagrange basis of size 2n is *truncated*, that is without the terms of tau^(2n-1).
//!
//! Section 7 proves that each contributor knew what he contributed; `snarkjs powersoftau verify` checks it.

use std::ops::Range;
use std::path::Path;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;
use rayon::prelude::*;

use crate::circom::container::{Kind, Reader, Sections, Source};
use crate::circom::points::Points;
use crate::circom::subgroup::all_in_subgroup;
use crate::error::Result;
use crate::kernel::curve::{Curve, G1Affine, G2Affine, G1, G2};
use crate::kernel::fft;
use crate::kernel::field::{self, Fr};
use crate::kernel::msm::msm;
use crate::monitor::Monitor;
use crate::verify::pairing_is_one;

pub const KIND: Kind = Kind { what: ".ptau file", magic: *b"ptau", version: 1 };
const HEADER: u32 = 1;
const BETA_G2: u32 = 6;
pub const MAX_POWER: u32 = 28;
/// What takes up the rows of a domain, for messages.
const ROWS: &str = "constraints, public wires and the one";

/// A family of points: powers of tau times a factor in one group, and their Lagrange bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    TauG1,
    TauG2,
    AlphaTauG1,
    BetaTauG1,
}

impl Family {
    const ALL: [Family; 4] = [Family::TauG1, Family::TauG2, Family::AlphaTauG1, Family::BetaTauG1];

    fn powers(self) -> u32 {
        2 + self as u32
    }

    fn lagrange(self) -> u32 {
        12 + self as u32
    }

    /// The numbers of points in the section of powers and in that of Lagrange bases.
    fn counts(self, power: u32) -> [usize; 2] {
        let n = 1usize << power;
        match self {
            Family::TauG1 => [2 * n - 1, 4 * n - 1],
            _ => [n, 2 * n - 1],
        }
    }

    fn point_size(self) -> usize {
        if self == Family::TauG2 {
            Points::<G2>::SIZE
        } else {
            Points::<G1>::SIZE
        }
    }
}

/// An opened file. Opening checks sizes, and `check` checks points.
pub struct Ptau {
    source: Source,
    sections: Sections,
    pub power: u32,
}

impl Ptau {
    /// Maps a file, which must not change while it is in use.
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(Source::open(path)?)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::parse(Source::Owned(bytes))
    }

    /// Errors (Format): malformed, another curve, not prepared for phase 2, sections of another size.
    fn parse(source: Source) -> Result<Self> {
        let sections = Sections::parse(KIND, &source)?;
        let mut header = Reader::new(KIND, &source[sections.range(HEADER)?]);
        header.base_field()?;
        let (power, _ceremony) = (header.u32()?, header.u32()?);
        header.end()?;
        if !(1..=MAX_POWER).contains(&power) {
            return Err(KIND.error(format!("expected a power from 1 to {MAX_POWER}, got {power}")));
        }
        if sections.optional(Family::TauG1.lagrange()).is_none() {
            return Err(KIND.error("not prepared: run `snarkjs powersoftau prepare phase2`"));
        }
        for family in Family::ALL {
            let [powers, lagrange] = family.counts(power);
            sections.exactly(family.powers(), powers, family.point_size())?;
            sections.exactly(family.lagrange(), lagrange, family.point_size())?;
        }
        sections.exactly(BETA_G2, 1, Points::<G2>::SIZE)?;
        Ok(Ptau { source, sections, power })
    }

    fn slice<C: Curve>(&self, section: u32, points: Range<usize>) -> Result<Points<'_, C>> {
        let whole = Points::new(&self.source[self.sections.range(section)?]);
        match points.end <= whole.len() && points.start <= points.end {
            true => Ok(whole.slice(points.start, points.len())),
            false => Err(KIND.error(format!("section {section} has no points {points:?}"))),
        }
    }

    /// The powers tau^0 .. tau^(count - 1) times the family's factor.
    pub fn powers<C: Curve>(&self, family: Family, count: usize) -> Result<Points<'_, C>> {
        self.slice(family.powers(), 0..count)
    }

    /// The Lagrange basis of the domain of size 2^log times the family's factor; truncated if log = power + 1.
    pub fn lagrange<C: Curve>(&self, family: Family, log: u32) -> Result<Points<'_, C>> {
        let size = 1usize << log;
        self.slice(family.lagrange(), size - 1..2 * size - 1)
    }

    pub fn beta_g2(&self) -> Result<G2Affine> {
        Ok(self.slice::<G2>(BETA_G2, 0..1)?.get(0))
    }

    /// How many of the powers tau^j, j < 2n, there are for the domain of size n = 2^log <= 2^power.
    fn double_powers(&self, log: u32) -> usize {
        let [there, _] = Family::TauG1.counts(self.power);
        there.min(2 << log)
    }

    /// Checks everything that a circuit over the domain of size n = 2^log uses: points on their curves and in their
    /// subgroups, powers of one tau, the same tau, alpha and beta in all families, Lagrange bases that belong to the
    /// powers, tau outside the domain of size 2n. A wrong file passes with a chance below 2^-100. Errors (Format): one
    /// of these does not hold, or log > power.
    pub fn check(&self, log: u32, monitor: &dyn Monitor) -> Result<()> {
        if log > fft::MAX_LOG {
            return Err(KIND.error(format!("{ROWS} take 2^{log} rows, the largest domain has 2^{}", fft::MAX_LOG)));
        }
        if log > self.power {
            let text = format!("{ROWS} take 2^{log} rows: expected power {log} or more, this file has {}", self.power);
            return Err(KIND.error(text));
        }
        let n = 1usize << log;
        let s = field::random_trapdoor()?;
        monitor.step("ptau: powers", 0.0)?;
        let tau = self.powers::<G1>(Family::TauG1, self.double_powers(log))?;
        let first = self.check_origin(n)?;
        let ratios = |points, name, fraction| {
            monitor.step("ptau: powers", fraction)?;
            self.check_ratio(points, s, first, name, monitor)
        };
        ratios(tau, "tau, G1", 0.1)?;
        ratios(self.powers(Family::AlphaTauG1, n)?, "alpha tau", 0.3)?;
        ratios(self.powers(Family::BetaTauG1, n)?, "beta tau", 0.4)?;
        monitor.step("ptau: powers", 0.5)?;
        self.check_ratio_g2(n, s, tau.get(1), monitor)?;
        monitor.step("ptau: lagrange", 0.0)?;
        self.check_lagrange::<G1>(Family::TauG1, log + 1, s, monitor)?;
        self.check_lagrange::<G1>(Family::TauG1, log, s, monitor)?;
        monitor.step("ptau: lagrange", 0.4)?;
        self.check_lagrange::<G1>(Family::AlphaTauG1, log, s, monitor)?;
        self.check_lagrange::<G1>(Family::BetaTauG1, log, s, monitor)?;
        monitor.step("ptau: lagrange", 0.7)?;
        self.check_lagrange::<G2>(Family::TauG2, log, s, monitor)
    }

    /// Checks that tau^0 = 1 in both groups, that beta is the same in both, and that tau^n is not +-1; returns [tau]2.
    fn check_origin(&self, n: usize) -> Result<G2Affine> {
        let tau = checked(self.powers::<G1>(Family::TauG1, n + 1)?, "tau, G1")?;
        let tau2 = checked(self.powers::<G2>(Family::TauG2, 2)?, "tau, G2")?;
        let beta = checked(self.powers::<G1>(Family::BetaTauG1, 1)?, "beta")?;
        let beta2 = checked(self.slice::<G2>(BETA_G2, 0..1)?, "beta, G2")?.get(0);
        let torsion = |p: &G2Affine| p.is_in_correct_subgroup_assuming_on_curve();
        if tau.get(0) != G1Affine::generator() || tau2.get(0) != G2Affine::generator() {
            return Err(KIND.error("the powers do not begin with the generators"));
        }
        if !torsion(&beta2) || !torsion(&tau2.get(1)) {
            return Err(KIND.error("a point is not in the subgroup of order r of G2"));
        }
        if !pairing_is_one(&[(beta.get(0), G2Affine::generator()), (-G1Affine::generator(), beta2)]) {
            return Err(KIND.error("beta differs between G1 and G2"));
        }
        let last = tau.get(n);
        if last == G1Affine::generator() || last == -G1Affine::generator() {
            return Err(KIND.error("tau lies in the domain"));
        }
        Ok(tau2.get(1))
    }

    /// Checks that P_(i+1) = tau P_i for all i, by e(sum s^i P_(i+1), 1) = e(sum s^i P_i, tau).
    fn check_ratio(
        &self,
        points: Points<'_, G1>,
        s: Fr,
        tau2: G2Affine,
        name: &str,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let stored = checked(points, name)?.to_vec();
        let weights = field::powers(s, stored.len() - 1);
        let low = msm::<G1>(&stored[..weights.len()], &weights, monitor)?.into_affine();
        let high = msm::<G1>(&stored[1..], &weights, monitor)?.into_affine();
        match pairing_is_one(&[(high, G2Affine::generator()), (-low, tau2)]) {
            true => Ok(()),
            false => Err(KIND.error(format!("{name}: not the powers of one tau"))),
        }
    }

    fn check_ratio_g2(&self, n: usize, s: Fr, tau1: G1Affine, monitor: &dyn Monitor) -> Result<()> {
        let stored = checked(self.powers::<G2>(Family::TauG2, n)?, "tau, G2")?.to_vec();
        if !all_in_subgroup(&stored, monitor)? {
            return Err(KIND.error("tau, G2: a point is not in the subgroup of order r"));
        }
        let weights = field::powers(s, n - 1);
        let low = msm::<G2>(&stored[..n - 1], &weights, monitor)?.into_affine();
        let high = msm::<G2>(&stored[1..], &weights, monitor)?.into_affine();
        match pairing_is_one(&[(G1Affine::generator(), high), (-tau1, low)]) {
            true => Ok(()),
            false => Err(KIND.error("tau, G2: not the powers of one tau")),
        }
    }

    /// Checks that sum f(w^i) L_i = sum s^j tau^j for f = sum_(j<m) s^j X^j = (1 - (sX)^m) / (1 - sX). A power
    /// tau^(m-1) that is not in the file has no term on either side.
    fn check_lagrange<C: Curve>(&self, family: Family, log: u32, s: Fr, monitor: &dyn Monitor) -> Result<()> {
        let m = 1usize << log;
        let name = format!("{family:?}, Lagrange basis of size {m}");
        let basis = checked(self.lagrange::<C>(family, log)?, &name)?.to_vec();
        let [there, _] = family.counts(self.power);
        let powers = self.powers::<C>(family, m.min(there))?.to_vec();
        let mut values = field::powers(fft::root_of_unity(m)?, m);
        values.par_iter_mut().for_each(|w| *w = Fr::ONE - s * *w);
        field::batch_inverse(&mut values)?;
        let numerator = Fr::ONE - s.pow([m as u64]);
        values.par_iter_mut().for_each(|v| *v *= numerator);
        let left = msm::<C>(&basis, &values, monitor)?;
        let right = msm::<C>(&powers, &field::powers(s, powers.len()), monitor)?;
        match left == right {
            true => Ok(()),
            false => Err(KIND.error(format!("{name}: does not belong to the powers of tau"))),
        }
    }

    /// Checks that the points of the Lagrange basis in G2 are in the subgroup of order r (error 2^-120).
    pub fn check_lagrange_subgroup(&self, log: u32, monitor: &dyn Monitor) -> Result<()> {
        match all_in_subgroup(&self.lagrange::<G2>(Family::TauG2, log)?.to_vec(), monitor)? {
            true => Ok(()),
            false => Err(KIND.error("a point of the Lagrange basis in G2 is not in the subgroup of order r")),
        }
    }
}

/// The points. Errors: one is not on its curve, or infinity.
fn checked<'a, C: Curve>(points: Points<'a, C>, name: &str) -> Result<Points<'a, C>> {
    if let Some(i) = points.first_invalid() {
        return Err(KIND.error(format!("{name}: point {i} is not on its curve")));
    }
    match points.finite().len() == points.len() {
        true => Ok(points),
        false => Err(KIND.error(format!("{name}: a point is infinity"))),
    }
}
