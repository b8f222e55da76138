//! A key of our own format from powers of tau and rows: nobody here learns tau, alpha or beta.
//!
//! With l the Lagrange basis of the domain of size 2n and L that of size n, and g^2 = w:
//! ```text
//! L_i t / z0 = L_i - l_2i                       (l_2i = L_i (X^n + 1) / 2, t = X^n - 1, z0 = -2)
//! H_i        = l_(2i+1) / delta                 (L'_i t / z0 is l_(2i+1): both vanish elsewhere, and t(g w^i) = z0)
//! K'_j       = (beta u_j + alpha v_j + sum_i C_ij l_2i) / delta       for private wires (K_j - w_j t / z0)
//! E_j        = sum_i C_ij (l_2i - L_i) / delta                         for public and committed ones
//! ```
//! so no transform over points is needed, but true powers up to tau^(2n-1): power k serves domains up to 2^(k-1).
//!
//! delta (and eta) are drawn here by one machine: a development key until others have contributed.

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::curve::{self, Curve, G1Affine, G2Affine, G1, G2};
use crate::error::{expect_len, Error, Result};
use crate::field::{self, Fr};
use crate::foreign::points::Points;
use crate::foreign::ptau::{Family, Ptau};
use crate::foreign::r1cs::R1cs;
use crate::key::{Counts, KeyWriter, ProvingKey, Section};
use crate::msm::msm;
use crate::parallel::Monitor;
use crate::rows::Rows;
use crate::system::{Shape, System};
use crate::verify::VerifyingKey;

/// Wires handled together by one task.
const TASK: usize = 64;
/// Columns with more entries than this are summed by the multi-scalar multiplication.
const LONG: usize = 128;

#[derive(Zeroize, ZeroizeOnDrop)]
struct Trapdoors {
    delta: Fr,
    eta: Fr,
}

impl Trapdoors {
    fn random() -> Result<Self> {
        loop {
            let t = Trapdoors { delta: field::random_trapdoor()?, eta: field::random_trapdoor()? };
            if t.delta != t.eta && t.delta != -t.eta {
                return Ok(t);
            }
        }
    }
}

/// A matrix by columns: entries of wire j are starts[j] .. starts[j + 1].
struct Columns {
    starts: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<Fr>,
}

/// Entries in the order in which rows came.
#[derive(Default)]
struct Entries {
    wires: Vec<u32>,
    rows: Vec<u32>,
    values: Vec<Fr>,
}

impl Entries {
    fn push(&mut self, row: usize, wire: usize, value: Fr) {
        self.wires.push(wire as u32);
        self.rows.push(row as u32);
        self.values.push(value);
    }

    /// Counting sort by wire.
    fn into_columns(self, n_wires: usize) -> Columns {
        let mut starts = vec![0usize; n_wires + 1];
        self.wires.iter().for_each(|wire| starts[*wire as usize + 1] += 1);
        (0..n_wires).for_each(|j| starts[j + 1] += starts[j]);
        let mut next = starts.clone();
        let mut out = Columns { starts, rows: vec![0; self.rows.len()], values: vec![Fr::ZERO; self.rows.len()] };
        for (k, wire) in self.wires.iter().enumerate() {
            let slot = &mut next[*wire as usize];
            (out.rows[*slot], out.values[*slot]) = (self.rows[k], self.values[k]);
            *slot += 1;
        }
        out
    }
}

impl Columns {
    /// sum_i M_ij base_i, for one wire j.
    fn sum<C: Curve>(&self, wire: usize, base: &Base<'_, C>, monitor: &dyn Monitor) -> Result<Projective<C>> {
        let range = self.starts[wire]..self.starts[wire + 1];
        let (rows, values) = (&self.rows[range.clone()], &self.values[range]);
        if rows.len() > LONG {
            let points: Vec<_> = rows.iter().map(|row| base.stored(*row as usize)).collect();
            return msm::<C>(&points, values, monitor);
        }
        let terms = rows.iter().zip(values).map(|(row, value)| times(base.get(*row as usize), value));
        Ok(terms.fold(Projective::ZERO, |sum, term| sum + term))
    }
}

/// Every `stride`-th point, from the first on.
struct Base<'a, C: Curve> {
    points: Points<'a, C>,
    stride: usize,
}

impl<C: Curve> Base<'_, C> {
    fn stored(&self, i: usize) -> C::Stored {
        self.points.stored(i * self.stride)
    }

    fn get(&self, i: usize) -> Affine<C> {
        self.points.get(i * self.stride)
    }
}

/// value * point, cheap for small values of either sign.
fn times<C: Curve>(point: Affine<C>, value: &Fr) -> Projective<C> {
    let (plus, minus) = (value.into_bigint(), (-*value).into_bigint());
    match plus.num_bits() <= minus.num_bits() {
        true => point.mul_bigint(plus),
        false => -point.mul_bigint(minus),
    }
}

/// Collects rows, then makes the key.
pub struct PtauSetup<'a> {
    ptau: &'a Ptau,
    shape: Shape,
    log: u32,
    rows_seen: usize,
    entries: [Entries; 3],
}

impl<'a> PtauSetup<'a> {
    /// Errors: a contradictory shape, a file of too small a power, a file that is not what it says (`Ptau::check`).
    pub fn new(ptau: &'a Ptau, shape: Shape, monitor: &dyn Monitor) -> Result<Self> {
        shape.check()?;
        let domain_size = shape.all_rows().max(2).next_power_of_two();
        let log = domain_size.trailing_zeros();
        ptau.check(log, monitor)?;
        ptau.check_lagrange_subgroup(log, monitor)?;
        Ok(PtauSetup { ptau, shape, log, rows_seen: 0, entries: Default::default() })
    }

    /// Adds the next rows a * b = c. Errors: the three differ in length, more rows than declared.
    pub fn add_rows(&mut self, rows: [Rows<'_>; 3]) -> Result<()> {
        let count = rows[0].count();
        rows.iter().try_for_each(|r| expect_len("rows of a, b, c", r.count(), count))?;
        if self.rows_seen + count > self.shape.n_rows {
            let (expected, got) = (self.shape.n_rows, self.rows_seen + count);
            return Err(Error::Argument(format!("rows: expected {expected}, got at least {got}")));
        }
        for (entries, rows) in self.entries.iter_mut().zip(rows) {
            rows.for_each(|row, wire, value| entries.push(self.rows_seen + row, wire, value));
        }
        self.rows_seen += count;
        Ok(())
    }

    /// The key, marked development. Errors: fewer rows than declared, cancelled.
    pub fn finish(mut self, monitor: &dyn Monitor) -> Result<ProvingKey> {
        expect_len("rows", self.rows_seen, self.shape.n_rows)?;
        // The rows wire_j * 0 = 0 for the one and the public wires: soundness-critical.
        for j in 0..=self.shape.n_public {
            self.entries[0].push(self.shape.n_rows + j, j, Fr::ONE);
        }
        let n_wires = self.shape.n_wires;
        let columns = std::mem::take(&mut self.entries).map(|entries| entries.into_columns(n_wires));
        let trapdoors = Trapdoors::random()?;
        let points = Queries::new(&self, &columns, &trapdoors, monitor)?;
        monitor.step("setup: write", 0.0)?;
        self.write(&points, &trapdoors)
    }

    fn base<C: Curve>(&self, family: Family) -> Result<Base<'a, C>> {
        Ok(Base { points: self.ptau.lagrange(family, self.log)?, stride: 1 })
    }

    /// l_2i
    fn even(&self) -> Result<Base<'a, G1>> {
        Ok(Base { points: self.ptau.lagrange(Family::TauG1, self.log + 1)?, stride: 2 })
    }

    fn verifying_key(&self, queries: &Queries, t: &Trapdoors) -> Result<VerifyingKey> {
        let g2 = |scalar: &Fr| curve::mul::<G2>(&G2Affine::generator(), scalar);
        Ok(VerifyingKey {
            system: self.shape.system,
            instance_length: self.shape.instance_length,
            circuit_hash: self.shape.circuit_hash,
            alpha: self.ptau.powers::<G1>(Family::AlphaTauG1, 1)?.get(0),
            beta: self.ptau.beta_g2()?,
            gamma: G2Affine::generator(),
            delta: g2(&t.delta),
            eta: (self.shape.system == System::Cg16).then(|| g2(&t.eta)),
            ic: queries.ic.clone(),
            hash: [0; 32],
        })
    }

    fn write(&self, queries: &Queries, t: &Trapdoors) -> Result<ProvingKey> {
        let counts = Counts {
            a: queries.a.wires.len(),
            b: queries.b2.wires.len(),
            k: queries.k.wires.len(),
            committed: queries.committed.wires.len(),
            domain_size: 1 << self.log,
        };
        let vk = self.verifying_key(queries, t)?;
        let g1 = |scalar: &Fr| curve::mul::<G1>(&G1Affine::generator(), scalar);
        let eta1 = if self.shape.system == System::Cg16 { g1(&t.eta) } else { G1Affine::zero() };
        let beta1 = self.ptau.powers::<G1>(Family::BetaTauG1, 1)?.get(0);
        let mut writer = KeyWriter::new(self.shape, counts, None)?;
        writer.section::<u8>(Section::VerifyingKey)?.copy_from_slice(&vk.to_bytes());
        store::<G1>(&mut writer, Section::ConstantsG1, &[vk.alpha, beta1, g1(&t.delta), eta1])?;
        store::<G2>(&mut writer, Section::ConstantsG2, &[vk.beta, vk.delta])?;
        let indices = [
            (Section::AIndex, &queries.a.wires),
            (Section::BIndex, &queries.b2.wires),
            (Section::KIndex, &queries.k.wires),
            (Section::CommittedIndex, &queries.committed.wires),
        ];
        for (section, wires) in indices {
            writer.section::<u32>(section)?.copy_from_slice(wires);
        }
        store::<G1>(&mut writer, Section::APoints, &queries.a.points)?;
        store::<G1>(&mut writer, Section::B1Points, &queries.b1.points)?;
        store::<G2>(&mut writer, Section::B2Points, &queries.b2.points)?;
        store::<G1>(&mut writer, Section::KPoints, &queries.k.points)?;
        store::<G1>(&mut writer, Section::CommittedPoints, &queries.committed.points)?;
        store::<G1>(&mut writer, Section::HPoints, &queries.h)?;
        writer.seal(true)
    }
}

fn store<C: Curve>(writer: &mut KeyWriter, section: Section, points: &[Affine<C>]) -> Result<()> {
    let slots = writer.section::<C::Stored>(section)?;
    slots.iter_mut().zip(points).for_each(|(slot, point)| *slot = C::store(point));
    Ok(())
}

/// Points other than infinity and their wires.
struct Query<C: Curve> {
    wires: Vec<u32>,
    points: Vec<Affine<C>>,
}

impl<C: Curve> Query<C> {
    /// point(j) for each wire of the range; in parallel, one inversion a task.
    fn new(
        wires: std::ops::Range<usize>,
        stage: &'static str,
        monitor: &dyn Monitor,
        point: impl Fn(usize) -> Result<Projective<C>> + Sync,
    ) -> Result<Self> {
        let all: Vec<usize> = wires.collect();
        let task = |chunk: &[usize]| -> Result<Vec<(u32, Affine<C>)>> {
            monitor.check()?;
            let sums: Vec<_> = chunk.iter().map(|j| point(*j)).collect::<Result<_>>()?;
            let affine = curve::to_affine(&sums);
            Ok(chunk.iter().map(|j| *j as u32).zip(affine).filter(|(_, p)| !p.is_zero()).collect())
        };
        monitor.step(stage, 0.0)?;
        let parts: Vec<Vec<_>> = all.par_chunks(TASK).map(task).collect::<Result<_>>()?;
        let (wires, points) = parts.into_iter().flatten().unzip();
        Ok(Query { wires, points })
    }
}

/// Every point of the key.
struct Queries {
    a: Query<G1>,
    b1: Query<G1>,
    b2: Query<G2>,
    k: Query<G1>,
    committed: Query<G1>,
    h: Vec<G1Affine>,
    ic: Vec<G1Affine>,
}

impl Queries {
    fn new(setup: &PtauSetup<'_>, columns: &[Columns; 3], t: &Trapdoors, monitor: &dyn Monitor) -> Result<Self> {
        let [a, b, c] = columns;
        let shape = &setup.shape;
        let invert = |x: &Fr| x.inverse().ok_or(Error::Internal("a trapdoor is zero".into()));
        let (delta, eta) = (invert(&t.delta)?, invert(&t.eta)?);
        let (plain, even) = (setup.base::<G1>(Family::TauG1)?, setup.even()?);
        let (alpha, beta) = (setup.base::<G1>(Family::AlphaTauG1)?, setup.base::<G1>(Family::BetaTauG1)?);
        let tau2 = setup.base::<G2>(Family::TauG2)?;
        // beta u_j + alpha v_j + w_j, with w over the given basis.
        let combined = |j: usize, basis: &Base<'_, G1>| -> Result<_> {
            Ok(a.sum(j, &beta, monitor)? + b.sum(j, &alpha, monitor)? + c.sum(j, basis, monitor)?)
        };
        let folded = |j: usize| -> Result<_> {
            let sum = match j < shape.first_private() {
                true => c.sum(j, &even, monitor)? - c.sum(j, &plain, monitor)?,
                false => combined(j, &even)?,
            };
            Ok(sum * delta)
        };
        let wires = 0..shape.n_wires;
        let committed = shape.first_committed()..shape.first_private();
        let ic: Vec<_> = (0..=shape.n_public).map(|j| combined(j, &plain)).collect::<Result<_>>()?;
        let odd = setup.ptau.lagrange::<G1>(Family::TauG1, setup.log + 1)?;
        let h = Query::new(0..1 << setup.log, "setup: h", monitor, |i| Ok(odd.get(2 * i + 1) * delta))?;
        expect_len("h points", h.points.len(), 1 << setup.log)?;
        Ok(Queries {
            a: Query::new(wires.clone(), "setup: a", monitor, |j| a.sum(j, &plain, monitor))?,
            b1: Query::new(wires.clone(), "setup: b1", monitor, |j| b.sum(j, &plain, monitor))?,
            b2: Query::new(wires.clone(), "setup: b2", monitor, |j| b.sum(j, &tau2, monitor))?,
            k: Query::new(wires, "setup: k", monitor, folded)?,
            committed: Query::new(committed, "setup: committed", monitor, |j| Ok(combined(j, &plain)? * eta))?,
            h: h.points,
            ic: curve::to_affine(&ic),
        })
    }
}

/// A development key for the constraints of an .r1cs file.
pub fn setup_r1cs(r1cs: &R1cs<'_>, ptau: &Ptau, monitor: &dyn Monitor) -> Result<ProvingKey> {
    let mut setup = PtauSetup::new(ptau, r1cs.shape(), monitor)?;
    r1cs.for_each_block(|rows| setup.add_rows(rows))?;
    setup.finish(monitor)
}
