//! Key generation from streamed rows. The toxic waste comes from the operating system's randomness and is wiped after
//! use.
//!
//! Beside the key itself memory holds three field elements per wire, whatever the number of coefficients.
//!
//! u_j = sum_i A_ij L_i(tau), v_j and w_j likewise over B and C; K_j = beta u_j + alpha v_j + w_j; t = tau^n - 1.
//!
//! The C matrix is part of the K query, so that a prover needs no transform for it (z0 = -2 is t on the coset, and
//! deg C < n lets C drop out of the quotient there):
//!     h t / delta = sum_i a_i b_i L'_i t / (z0 delta) - sum_j z_j w_j t / (z0 delta).

use std::path::Path;

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{expect_len, Error, Result};
use crate::kernel::curve::{Curve, G1Affine, G2Affine, G1, G2};
use crate::kernel::fft;
use crate::kernel::field::{self, Fr, BYTES};
use crate::kernel::msm::fixed_base::{FixedBase, BATCH};
use crate::key::{Counts, KeyWriter, ProvingKey, Section};
use crate::memory::room_for;
use crate::monitor::Monitor;
use crate::rows::Rows;
use crate::system::{Shape, System};
use crate::verify::VerifyingKey;

/// The bytes per wire of all scalars: those of up to four queries with their wires' numbers, and of the H query.
const WIRE_BYTES: usize = 5 * (BYTES + 4);

/// The trapdoors; gamma is 1.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Toxic {
    pub alpha: Fr,
    pub beta: Fr,
    pub tau: Fr,
    pub delta: Fr,
    pub eta: Fr,
}

impl Toxic {
    /// Fresh trapdoors: none is 0 or +-1, delta is not +-eta, and tau is outside the domain of size n and its coset.
    pub fn random(n: usize) -> Result<Self> {
        loop {
            let [alpha, beta, tau, delta, eta] = [(); 5].map(|()| field::random_trapdoor());
            let toxic = Toxic { alpha: alpha?, beta: beta?, tau: tau?, delta: delta?, eta: eta? };
            let on_domain = toxic.tau.pow([2 * n as u64]) == Fr::ONE;
            if !on_domain && toxic.delta != toxic.eta && toxic.delta != -toxic.eta {
                return Ok(toxic);
            }
        }
    }
}

/// Collects rows, then makes the key.
pub struct SetupBuilder {
    shape: Shape,
    domain_size: usize,
    toxic: Toxic,
    rows_seen: usize,
    /// The values u_j, v_j, w_j at tau, for each wire j.
    columns: [Secret; 3],
}

/// Field elements that betray the trapdoors; wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Secret(Vec<Fr>);

impl SetupBuilder {
    pub fn new(shape: Shape) -> Result<Self> {
        let domain_size = Self::domain_for(&shape)?;
        Self::with_toxic(shape, Toxic::random(domain_size)?)
    }

    /// A deterministic setup from given trapdoors, for tests against the reference.
    pub fn with_toxic(shape: Shape, toxic: Toxic) -> Result<Self> {
        let domain_size = Self::domain_for(&shape)?;
        let columns = [(); 3].map(|()| Secret(vec![Fr::ZERO; shape.n_wires]));
        Ok(SetupBuilder { shape, domain_size, toxic, rows_seen: 0, columns })
    }

    fn domain_for(shape: &Shape) -> Result<usize> {
        shape.check()?;
        fft::domain_size(shape.all_rows())
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Adds the next rows a * b = c. Errors: the three differ in length, or there are more rows than declared.
    pub fn add_rows(&mut self, rows: [Rows<'_>; 3]) -> Result<()> {
        let count = rows[0].count();
        rows.iter().try_for_each(|r| expect_len("rows of a, b, c", r.count(), count))?;
        if self.rows_seen + count > self.shape.n_rows {
            let (expected, got) = (self.shape.n_rows, self.rows_seen + count);
            return Err(Error::Argument(format!("rows: expected {expected}, got at least {got}")));
        }
        let lagrange = Secret(self.lagrange(self.rows_seen, count)?);
        self.columns.par_iter_mut().zip(rows).for_each(|(column, r)| r.scatter(&lagrange.0, &mut column.0));
        self.rows_seen += count;
        Ok(())
    }

    fn lagrange(&self, start: usize, count: usize) -> Result<Vec<Fr>> {
        fft::lagrange_at(self.toxic.tau, Fr::ONE, self.domain_size, start, count)
    }

    /// The key, in memory or in a new file at `place`. Errors: fewer rows than declared, cancelled, too little memory.
    pub fn finish(mut self, place: Option<&Path>, monitor: &dyn Monitor) -> Result<ProvingKey> {
        expect_len("rows", self.rows_seen, self.shape.n_rows)?;
        room_for(monitor, "setup", WIRE_BYTES * self.shape.n_wires)?;
        // The rows wire_j * 0 = 0 of the one and the public wires. Soundness depends on them: without them public
        // inputs need not enter independently.
        let dummy = Secret(self.lagrange(self.shape.n_rows, self.shape.n_public + 1)?);
        self.columns[0].0.iter_mut().zip(&dummy.0).for_each(|(u, l)| *u += l);
        let scalars = Scalars::new(&self)?;
        monitor.step("setup: tables", 0.0)?;
        let base = scalars.bases();
        let mut writer = KeyWriter::new(self.shape, scalars.counts(self.domain_size), place)?;
        self.write_constants(&base, &scalars, &mut writer)?;
        scalars.write(&base, &mut writer, monitor)?;
        monitor.step("setup: digests", 0.0)?;
        writer.seal(true)
    }

    fn write_constants(&self, base: &Bases, scalars: &Scalars, writer: &mut KeyWriter) -> Result<()> {
        let t = &self.toxic;
        let cg16 = self.shape.system == System::Cg16;
        let eta1 = if cg16 { t.eta } else { Fr::ZERO };
        let g1 = base.g1.multiply(&[t.alpha, t.beta, t.delta, eta1]);
        let g2 = base.g2.multiply(&[t.beta, Fr::ONE, t.delta, t.eta]);
        let key = VerifyingKey {
            system: self.shape.system,
            instance_length: self.shape.instance_length,
            circuit_hash: self.shape.circuit_hash,
            alpha: g1[0],
            beta: g2[0],
            gamma: g2[1],
            delta: g2[2],
            eta: cg16.then_some(g2[3]),
            ic: base.g1.multiply(&scalars.ic.0),
            hash: [0; 32],
        };
        writer.section::<u8>(Section::VerifyingKey)?.copy_from_slice(&key.to_bytes());
        store::<G1>(writer, Section::ConstantsG1, &g1)?;
        store::<G2>(writer, Section::ConstantsG2, &[g2[0], g2[2]])
    }
}

fn store<C: Curve>(writer: &mut KeyWriter, section: Section, points: &[Affine<C>]) -> Result<()> {
    let slots = writer.section::<C::Stored>(section)?;
    slots.iter_mut().zip(points).for_each(|(slot, point)| *slot = C::store(point));
    Ok(())
}

struct Bases {
    g1: FixedBase<G1>,
    g2: FixedBase<G2>,
}

/// The scalars of one query that are not zero, and the wires that they belong to.
struct Query {
    wires: Vec<u32>,
    scalars: Secret,
}

impl Query {
    fn of(values: impl Iterator<Item = (usize, Fr)>) -> Self {
        let (wires, scalars) = values.filter(|(_, s)| *s != Fr::ZERO).map(|(j, s)| (j as u32, s)).unzip();
        Query { wires, scalars: Secret(scalars) }
    }
}

/// Every scalar of the key.
struct Scalars {
    a: Query,
    b: Query,
    k: Query,
    committed: Query,
    h: Secret,
    ic: Secret,
}

impl Scalars {
    fn new(builder: &SetupBuilder) -> Result<Self> {
        let (toxic, shape, n) = (&builder.toxic, &builder.shape, builder.domain_size);
        let [u, v, w] = &builder.columns;
        let invert = |x: Fr| x.inverse().ok_or(Error::Internal("a trapdoor is zero".into()));
        let (inverse_delta, inverse_eta) = (invert(toxic.delta)?, invert(toxic.eta)?);
        let t = toxic.tau.pow([n as u64]) - Fr::ONE;
        // t / (z0 delta), z0 = -2
        let h_factor = t * invert(-Fr::from(2u64))? * inverse_delta;
        let big_k = |j: usize| toxic.beta * u.0[j] + toxic.alpha * v.0[j] + w.0[j];
        // The K_j of public and committed wires are in IC and in the committed query; the term of C is here for all.
        let k_scalar = |j: usize| {
            let own = if j < shape.first_private() { Fr::ZERO } else { big_k(j) * inverse_delta };
            own - w.0[j] * h_factor
        };
        let committed = shape.first_committed()..shape.first_private();
        let shift = fft::root_of_unity(2 * n)?;
        let mut h = Secret(fft::lagrange_at(toxic.tau, shift, n, 0, n)?);
        h.0.par_iter_mut().for_each(|l| *l *= h_factor);
        Ok(Scalars {
            a: Query::of(u.0.iter().copied().enumerate()),
            b: Query::of(v.0.iter().copied().enumerate()),
            k: Query::of((0..shape.n_wires).map(|j| (j, k_scalar(j)))),
            committed: Query::of(committed.map(|j| (j, big_k(j) * inverse_eta))),
            h,
            ic: Secret((0..=shape.n_public).map(big_k).collect()),
        })
    }

    fn counts(&self, domain_size: usize) -> Counts {
        Counts {
            a: self.a.wires.len(),
            b: self.b.wires.len(),
            k: self.k.wires.len(),
            committed: self.committed.wires.len(),
            domain_size,
        }
    }

    fn bases(&self) -> Bases {
        let g2 = self.b.wires.len() + 4;
        let g1 = self.a.wires.len() + g2 + self.k.wires.len() + self.committed.wires.len() + self.h.0.len();
        let (g1, g2) =
            rayon::join(|| FixedBase::new(G1Affine::generator(), g1), || FixedBase::new(G2Affine::generator(), g2));
        Bases { g1, g2 }
    }

    fn write(&self, base: &Bases, writer: &mut KeyWriter, monitor: &dyn Monitor) -> Result<()> {
        let indices = [
            (Section::AIndex, &self.a),
            (Section::BIndex, &self.b),
            (Section::KIndex, &self.k),
            (Section::CommittedIndex, &self.committed),
        ];
        for (section, query) in indices {
            writer.section::<u32>(section)?.copy_from_slice(&query.wires);
        }
        write_points(&base.g1, &self.a.scalars, Section::APoints, "setup: a", writer, monitor)?;
        write_points(&base.g1, &self.b.scalars, Section::B1Points, "setup: b1", writer, monitor)?;
        write_points(&base.g2, &self.b.scalars, Section::B2Points, "setup: b2", writer, monitor)?;
        write_points(&base.g1, &self.k.scalars, Section::KPoints, "setup: k", writer, monitor)?;
        write_points(&base.g1, &self.committed.scalars, Section::CommittedPoints, "setup: committed", writer, monitor)?;
        write_points(&base.g1, &self.h, Section::HPoints, "setup: h", writer, monitor)
    }
}

fn write_points<C: Curve>(
    base: &FixedBase<C>,
    scalars: &Secret,
    section: Section,
    stage: &'static str,
    writer: &mut KeyWriter,
    monitor: &dyn Monitor,
) -> Result<()> {
    let slots = writer.section::<C::Stored>(section)?;
    let total = scalars.0.len();
    let done = std::sync::atomic::AtomicUsize::new(0);
    slots.par_chunks_mut(BATCH).zip(scalars.0.par_chunks(BATCH)).try_for_each(|(slots, scalars)| {
        let points = base.multiply(scalars);
        slots.iter_mut().zip(&points).for_each(|(slot, point)| *slot = C::store(point));
        let before = done.fetch_add(points.len(), std::sync::atomic::Ordering::Relaxed);
        monitor.step(stage, (before + points.len()) as f64 / total as f64)
    })
}
