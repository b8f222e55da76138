//! A key of our own format from powers of tau and rows, without knowing tau, alpha or beta.
//!
//! With l the Lagrange basis of the domain of size 2n and L that of size n, and g^2 = w:
//! ```text
//! L_i t / z0 = L_i - l_2i                       (l_2i = L_i (X^n + 1) / 2, t = X^n - 1, z0 = -2)
//! H_i        = l_(2i+1) / delta                 (L'_i t / z0 is l_(2i+1): both vanish elsewhere, and t(g w^i) = z0)
//! K'_j       = (beta u_j + alpha v_j + sum_i C_ij l_2i) / delta       for private wires (K_j - w_j t / z0)
//! E_j        = sum_i C_ij (l_2i - L_i) / delta                         for public and committed ones
//! ```
//! so no transform over points is needed. A domain of size 2^k on powers of power k has the truncated l, without the
//! terms of tau^(2n-1): an honest quotient is the same, and a row with B = C = 0 forbids what else it would allow
//! (protocol.md section 1). The rows wire_j * 0 = 0 are such rows; a system without one is refused.
//!
//! Memory grows with the non-zero coefficients, whatever number of wires a file announces.
//!
//! delta (and eta) are drawn by this one machine, so the key is a development key. A ceremony starts from the key with
//! delta = eta = 1 (`initial`), which is a function of the powers and the rows.

use std::ops::Deref;

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::circom::points::Points;
use crate::circom::ptau::{Family, Ptau};
use crate::circom::r1cs::R1cs;
use crate::error::{expect_len, Error, Result};
use crate::kernel::curve::{self, Curve, G1Affine, G2Affine, G1, G2};
use crate::kernel::field::{self, Fr};
use crate::kernel::msm::msm;
use crate::key::{Counts, KeyWriter, ProvingKey, Section};
use crate::monitor::Monitor;
use crate::rows::Rows;
use crate::system::{Shape, System};
use crate::verify::VerifyingKey;

/// The wires of one task.
const TASK: usize = 64;
/// Columns with more entries than this are summed by the multi-scalar multiplication.
const LONG: usize = 128;

#[derive(Zeroize, ZeroizeOnDrop)]
struct Trapdoors {
    delta: Fr,
    eta: Fr,
}

impl Trapdoors {
    /// Those with which a ceremony starts.
    fn one() -> Self {
        Trapdoors { delta: Fr::ONE, eta: Fr::ONE }
    }

    fn random() -> Result<Self> {
        loop {
            let t = Trapdoors { delta: field::random_trapdoor()?, eta: field::random_trapdoor()? };
            if t.delta != t.eta && t.delta != -t.eta {
                return Ok(t);
            }
        }
    }
}

/// A matrix by those columns that have entries: column wires[k], in rising order, has the entries starts[k] ..
/// starts[k + 1] of `rows` and `values`.
pub(super) struct Columns {
    wires: Vec<u32>,
    starts: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<Fr>,
}

/// Entries in the order in which rows came.
#[derive(Default)]
pub(super) struct Entries {
    wires: Vec<u32>,
    rows: Vec<u32>,
    values: Vec<Fr>,
}

impl Entries {
    pub(super) fn push(&mut self, row: usize, wire: usize, value: Fr) {
        self.wires.push(wire as u32);
        self.rows.push(row as u32);
        self.values.push(value);
    }

    /// The entries sorted by wire.
    pub(super) fn into_columns(self) -> Columns {
        let mut order: Vec<(u32, usize)> = self.wires.iter().copied().zip(0..).collect();
        order.par_sort_unstable();
        let (mut wires, mut starts) = (Vec::new(), Vec::new());
        for (at, (wire, _)) in order.iter().enumerate() {
            if wires.last() != Some(wire) {
                wires.push(*wire);
                starts.push(at);
            }
        }
        starts.push(order.len());
        let rows = order.iter().map(|(_, entry)| self.rows[*entry]).collect();
        let values = order.iter().map(|(_, entry)| self.values[*entry]).collect();
        Columns { wires, starts, rows, values }
    }
}

impl Columns {
    /// The sum of M_ij base_i over all rows i, for one wire j.
    pub(super) fn sum<C: Curve>(&self, wire: u32, base: &Base<'_, C>, monitor: &dyn Monitor) -> Result<Projective<C>> {
        let Ok(column) = self.wires.binary_search(&wire) else { return Ok(Projective::ZERO) };
        let range = self.starts[column]..self.starts[column + 1];
        let (rows, values) = (&self.rows[range.clone()], &self.values[range]);
        if rows.len() > LONG {
            let points: Vec<_> = rows.iter().map(|row| base.stored(*row as usize)).collect();
            return msm::<C>(&points, values, monitor);
        }
        let terms = rows.iter().zip(values).map(|(row, value)| times(base.get(*row as usize), value));
        Ok(terms.fold(Projective::ZERO, |sum, term| sum + term))
    }
}

/// Every `stride`-th of some points, from the first on.
pub(super) struct Base<'a, C: Curve> {
    pub(super) points: Points<'a, C>,
    pub(super) stride: usize,
}

impl<C: Curve> Base<'_, C> {
    fn stored(&self, i: usize) -> C::Stored {
        self.points.stored(i * self.stride)
    }

    fn get(&self, i: usize) -> Affine<C> {
        self.points.get(i * self.stride)
    }
}

/// value * point, which is cheap for small values of either sign.
fn times<C: Curve>(point: Affine<C>, value: &Fr) -> Projective<C> {
    let (plus, minus) = (value.into_bigint(), (-*value).into_bigint());
    match plus.num_bits() <= minus.num_bits() {
        true => point.mul_bigint(plus),
        false => -point.mul_bigint(minus),
    }
}

/// The product, which is free for the factor 1.
fn divided<C: Curve>(sum: Projective<C>, factor: &Fr) -> Projective<C> {
    match *factor == Fr::ONE {
        true => sum,
        false => sum * *factor,
    }
}

/// Collects rows, then makes the key.
pub struct PtauSetup<P: Deref<Target = Ptau>> {
    ptau: P,
    shape: Shape,
    log: u32,
    rows_seen: usize,
    entries: [Entries; 3],
}

impl<P: Deref<Target = Ptau>> PtauSetup<P> {
    /// Errors: a contradictory shape, a file of too small a power, a file that is not what it says (`Ptau::check`).
    pub fn new(ptau: P, shape: Shape, monitor: &dyn Monitor) -> Result<Self> {
        shape.check()?;
        let log = shape.all_rows().max(2).next_power_of_two().trailing_zeros();
        ptau.check(log, monitor)?;
        ptau.check_lagrange_subgroup(log, monitor)?;
        Ok(PtauSetup { ptau, shape, log, rows_seen: 0, entries: Default::default() })
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The power of the file.
    pub fn power(&self) -> u32 {
        self.ptau.power
    }

    /// Adds the next rows a * b = c. Errors: the three differ in length, or there are more rows than declared.
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
    pub fn finish(self, monitor: &dyn Monitor) -> Result<ProvingKey> {
        self.written(&Trapdoors::random()?, monitor)?.seal(true)
    }

    /// The key with delta = eta = 1, from which a ceremony starts. Nobody may prove or verify with it. Errors: as above.
    pub(crate) fn initial(self, monitor: &dyn Monitor) -> Result<ProvingKey> {
        self.written(&Trapdoors::one(), monitor)?.seal_unfinished()
    }

    fn written(mut self, trapdoors: &Trapdoors, monitor: &dyn Monitor) -> Result<KeyWriter> {
        expect_len("rows", self.rows_seen, self.shape.n_rows)?;
        self.add_dummy_rows();
        self.check_slack()?;
        let points = self.queries(trapdoors, monitor)?;
        monitor.step("setup: write", 0.0)?;
        self.write(&points, trapdoors)
    }

    /// Adds the rows wire_j * 0 = 0 of the one and the public wires. Soundness depends on them (see `check_slack`).
    fn add_dummy_rows(&mut self) {
        for j in 0..=self.shape.n_public {
            self.entries[0].push(self.shape.n_rows + j, j, Fr::ONE);
        }
    }

    /// On a truncated basis a * b = c + e w^-i may hold in every row i, with an e that the prover chooses; a row with
    /// B = C = 0 identically says e = 0. Errors (UnsafeKey): there is none.
    fn check_slack(&self) -> Result<()> {
        let mut fixed = vec![true; 1 << self.log];
        let [_, b, c] = &self.entries;
        b.rows.iter().chain(&c.rows).for_each(|row| fixed[*row as usize] = false);
        match fixed.contains(&true) {
            true => Ok(()),
            false => {
                Err(Error::UnsafeKey("no row has B = C = 0: a proof on these powers of tau may say nothing".into()))
            }
        }
    }

    fn queries(&mut self, trapdoors: &Trapdoors, monitor: &dyn Monitor) -> Result<Queries> {
        let columns = std::mem::take(&mut self.entries).map(Entries::into_columns);
        Queries::new(self, &columns, trapdoors, monitor)
    }

    fn base<C: Curve>(&self, family: Family) -> Result<Base<'_, C>> {
        Ok(Base { points: self.ptau.lagrange(family, self.log)?, stride: 1 })
    }

    /// The points l_2i.
    fn even(&self) -> Result<Base<'_, G1>> {
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

    fn write(&self, queries: &Queries, t: &Trapdoors) -> Result<KeyWriter> {
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
        Ok(writer)
    }
}

fn store<C: Curve>(writer: &mut KeyWriter, section: Section, points: &[Affine<C>]) -> Result<()> {
    let slots = writer.section::<C::Stored>(section)?;
    slots.iter_mut().zip(points).for_each(|(slot, point)| *slot = C::store(point));
    Ok(())
}

/// The points of one query other than infinity, and their wires.
struct Query<C: Curve> {
    wires: Vec<u32>,
    points: Vec<Affine<C>>,
}

impl<C: Curve> Query<C> {
    /// point(j) for each of the wires, in parallel, with one inversion per task.
    fn new(
        wires: &[u32],
        stage: &'static str,
        monitor: &dyn Monitor,
        point: impl Fn(u32) -> Result<Projective<C>> + Sync,
    ) -> Result<Self> {
        let task = |chunk: &[u32]| -> Result<Vec<(u32, Affine<C>)>> {
            monitor.check()?;
            let sums: Vec<_> = chunk.iter().map(|j| point(*j)).collect::<Result<_>>()?;
            let affine = curve::to_affine(&sums);
            Ok(chunk.iter().copied().zip(affine).filter(|(_, p)| !p.is_zero()).collect())
        };
        monitor.step(stage, 0.0)?;
        let parts: Vec<Vec<_>> = wires.par_chunks(TASK).map(task).collect::<Result<_>>()?;
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
    fn new<P: Deref<Target = Ptau>>(
        setup: &PtauSetup<P>,
        columns: &[Columns; 3],
        t: &Trapdoors,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let [a, b, c] = columns;
        let shape = &setup.shape;
        let invert = |x: &Fr| x.inverse().ok_or(Error::Internal("a trapdoor is zero".into()));
        let (delta, eta) = (invert(&t.delta)?, invert(&t.eta)?);
        let (plain, even) = (setup.base::<G1>(Family::TauG1)?, setup.even()?);
        let (alpha, beta) = (setup.base::<G1>(Family::AlphaTauG1)?, setup.base::<G1>(Family::BetaTauG1)?);
        let tau2 = setup.base::<G2>(Family::TauG2)?;
        // beta u_j + alpha v_j + w_j, with w over the given basis.
        let combined = |j: u32, basis: &Base<'_, G1>| -> Result<_> {
            Ok(a.sum(j, &beta, monitor)? + b.sum(j, &alpha, monitor)? + c.sum(j, basis, monitor)?)
        };
        let k_point = |j: u32| -> Result<_> {
            let sum = match (j as usize) < shape.first_private() {
                true => c.sum(j, &even, monitor)? - c.sum(j, &plain, monitor)?,
                false => combined(j, &even)?,
            };
            Ok(divided(sum, &delta))
        };
        let wires = in_any(columns);
        let committed = shape.first_committed()..shape.first_private();
        let committed: Vec<u32> = wires.iter().copied().filter(|j| committed.contains(&(*j as usize))).collect();
        let ic: Vec<_> = (0..=shape.n_public).map(|j| combined(j as u32, &plain)).collect::<Result<_>>()?;
        let odd = setup.ptau.lagrange::<G1>(Family::TauG1, setup.log + 1)?;
        let points: Vec<u32> = (0..1 << setup.log).collect();
        let h = Query::new(&points, "setup: h", monitor, |i| {
            Ok(divided(odd.get(2 * i as usize + 1).into_group(), &delta))
        })?;
        expect_len("h points", h.points.len(), 1 << setup.log)?;
        Ok(Queries {
            a: Query::new(&a.wires, "setup: a", monitor, |j| a.sum(j, &plain, monitor))?,
            b1: Query::new(&b.wires, "setup: b1", monitor, |j| b.sum(j, &plain, monitor))?,
            b2: Query::new(&b.wires, "setup: b2", monitor, |j| b.sum(j, &tau2, monitor))?,
            k: Query::new(&wires, "setup: k", monitor, k_point)?,
            committed: Query::new(&committed, "setup: committed", monitor, |j| {
                Ok(divided(combined(j, &plain)?, &eta))
            })?,
            h: h.points,
            ic: curve::to_affine(&ic),
        })
    }
}

/// The wires that have an entry in any matrix, in order.
fn in_any(columns: &[Columns; 3]) -> Vec<u32> {
    let mut wires: Vec<u32> = columns.iter().flat_map(|matrix| &matrix.wires).copied().collect();
    wires.par_sort_unstable();
    wires.dedup();
    wires
}

/// A development key for the constraints of an .r1cs file.
pub fn setup_r1cs(r1cs: &R1cs<'_>, ptau: &Ptau, monitor: &dyn Monitor) -> Result<ProvingKey> {
    let mut setup = PtauSetup::new(ptau, r1cs.shape(), monitor)?;
    r1cs.for_each_block(|rows| setup.add_rows(rows))?;
    setup.finish(monitor)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use ark_ec::CurveGroup;

    use super::*;
    use crate::kernel::fft::{root_of_unity, Domain};
    use crate::monitor::Silent;
    use crate::rows::Coefficients;
    use crate::verify::{verify, Proof};

    /// Power 6: the basis of a domain of 64 rows is truncated.
    const LOG: u32 = 6;
    const ROOT: u64 = 5;

    fn powers() -> Ptau {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/snarkjs/toy.ptau");
        Ptau::from_bytes(std::fs::read(path).expect("fixture")).expect("powers")
    }

    /// Rows w w = x_i with public x_i: wires [1, x_0 .. , w].
    fn squares(ptau: &Ptau, rows: usize) -> PtauSetup<&Ptau> {
        let shape = Shape {
            system: System::Groth16,
            n_wires: rows + 2,
            n_public: rows,
            n_committed: 0,
            n_rows: rows,
            instance_length: rows,
            circuit_hash: [0; 32],
        };
        let mut setup = PtauSetup { ptau, shape, log: LOG, rows_seen: 0, entries: Default::default() };
        let (indptr, ones): (Vec<i64>, _) = ((0..=rows as i64).collect(), vec![1; rows]);
        let (w, x): (Vec<u32>, Vec<u32>) = (vec![rows as u32 + 1; rows], (1..=rows as u32).collect());
        let side = |wires| Rows::new(&indptr, wires, Coefficients::Small(&ones), rows + 2).expect("rows");
        setup.add_rows([side(&w), side(&w), side(&x)]).expect("as many as announced");
        setup
    }

    /// Whether a proof of x_i = w^2 - e W^-i, W of order 64, verifies. It is made with the points of the key alone: the
    /// quotient gets a multiple of sum_i g^-(2i+1) H_i, which is tau^(n-1) t / delta without its highest power.
    fn accepts(mut setup: PtauSetup<&Ptau>, e: u64) -> bool {
        let (n, shape) = (1usize << LOG, setup.shape);
        let t = Trapdoors::random().expect("randomness");
        let dummy: Vec<u32> = setup.entries[0].wires[shape.n_rows..].to_vec();
        let queries = setup.queries(&t, &Silent).expect("points");
        let vk = setup.verifying_key(&queries, &t).expect("key");
        let slack = field::powers(root_of_unity(2 * n).expect("g").inverse().expect("not zero"), 2 * n);
        let x: Vec<Fr> = (0..shape.n_rows).map(|i| Fr::from(ROOT * ROOT) - slack[2 * i] * Fr::from(e)).collect();
        let wires: Vec<Fr> = [&[Fr::ONE], &x[..], &[Fr::from(ROOT)]].concat();
        let extended = |tail: &[u32]| {
            let mut values = vec![Fr::from(ROOT); shape.n_rows];
            values.extend(tail.iter().map(|j| wires[*j as usize]));
            values.resize(n, Fr::ZERO);
            Domain::new(n).and_then(|domain| domain.extend(&mut values)).expect("a domain");
            values
        };
        let (a, b) = (extended(&dummy), extended(&[]));
        let quotient = (0..n).map(|i| a[i] * b[i] - slack[2 * i + 1] * Fr::from(e));
        let h = queries.h.iter().zip(quotient).fold(Projective::<G1>::ZERO, |sum, (point, k)| sum + *point * k);
        let proof = Proof {
            a: (weighted(&queries.a, &wires) + vk.alpha).into_affine(),
            b: (weighted(&queries.b2, &wires) + vk.beta).into_affine(),
            c: (weighted(&queries.k, &wires) + h).into_affine(),
            d: None,
        };
        verify(&vk, &x, &proof, &[0; 32]).is_ok()
    }

    fn weighted<C: Curve>(query: &Query<C>, wires: &[Fr]) -> Projective<C> {
        let terms = query.wires.iter().zip(&query.points).map(|(j, point)| *point * wires[*j as usize]);
        terms.fold(Projective::ZERO, |sum, term| sum + term)
    }

    /// 64 rows and no dummy row: what `finish` never makes.
    fn without_dummy_rows(ptau: &Ptau) -> PtauSetup<&Ptau> {
        squares(ptau, 1 << LOG)
    }

    /// 31 rows, and 32 dummy rows for the one and the public wires; one row is left over.
    fn with_dummy_rows(ptau: &Ptau) -> PtauSetup<&Ptau> {
        let mut setup = squares(ptau, 31);
        setup.add_dummy_rows();
        setup
    }

    #[test]
    fn a_truncated_basis_forges_without_dummy_rows_and_not_with_them() {
        let ptau = powers();
        assert!(accepts(without_dummy_rows(&ptau), 0), "the true statement");
        assert!(accepts(without_dummy_rows(&ptau), 3), "every row is off by a common slack");
        assert!(accepts(with_dummy_rows(&ptau), 0), "the true statement");
        assert!(!accepts(with_dummy_rows(&ptau), 3), "the same forgery");
    }

    #[test]
    fn a_system_without_a_row_that_fixes_the_slack_is_refused() {
        let ptau = powers();
        assert!(matches!(without_dummy_rows(&ptau).check_slack(), Err(Error::UnsafeKey(_))));
        with_dummy_rows(&ptau).check_slack().expect("the dummy rows fix it");
        squares(&ptau, 63).check_slack().expect("an empty row fixes it");
        let mut setup = without_dummy_rows(&ptau);
        setup.entries[1].rows.retain(|row| *row != 7);
        assert!(matches!(setup.check_slack(), Err(Error::UnsafeKey(_))), "B = 0, but C is not");
        setup.entries[2].rows.retain(|row| *row != 7);
        setup.check_slack().expect("B = C = 0 in row 7");
    }

    /// Columns come out sorted, each with its own entries, whatever the order of the rows.
    #[test]
    fn entries_become_columns() {
        let mut entries = Entries::default();
        [(0, 9), (0, 2), (1, u32::MAX as usize), (2, 2)]
            .iter()
            .for_each(|(i, j)| entries.push(*i, *j, Fr::from(*i as u64)));
        let columns = entries.into_columns();
        assert_eq!((&columns.wires[..], &columns.starts[..]), (&[2, 9, u32::MAX][..], &[0, 2, 3, 4][..]));
        assert_eq!(columns.rows, [0, 2, 0, 1]);
        assert_eq!(columns.values, [0u64, 2, 0, 1].map(Fr::from));
        assert_eq!(Entries::default().into_columns().starts, [0]);
    }
}
