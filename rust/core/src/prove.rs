//! The prover of both systems. It refuses values that do not satisfy the rows, and verifies every proof it makes.
//!
//! A = alpha + sum z_j [u_j] + rA delta;  B = beta + sum z_j [v_j] + sB delta (in G1 as B1);
//! C = sum z_j [K'_j] + sum_i a_i b_i [H_i] + sB A + rA B1 - rA sB delta - kappa eta;
//! D = sum_COM z_j [K_j / eta] + kappa delta  (eta and D: CG16 only).
//!
//! [s] is s times the generator; alpha, beta, delta, eta stand for their points. u_j, v_j, K_j are those of `setup`;
//! [K'_j] and [H_i] are the points of `Section::KPoints` and `Section::HPoints`: C and the division by t are in them.

use std::sync::Arc;

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{expect_len, Error, Result};
use crate::kernel::curve::{G1Affine, G1Projective, G2Projective, StoredG1, StoredG2, G1};
use crate::kernel::fft::Domain;
use crate::kernel::field::{self, Fr, BYTES};
use crate::kernel::msm::{
    footprint, msm_both, msm_picked, signed_products, signed_scalars, Scalars, SignedScalar, LEAST_TILE,
};
use crate::key::{ProvingKey, Section};
use crate::memory::{collect, room_for, tile};
use crate::monitor::Monitor;
use crate::system::System;
use crate::transcript::{self, Word};
use crate::verify::{verified, Proof};

/// The bytes of a point of G1, and of one point of each group.
const POINT: usize = size_of::<StoredG1>();
const POINTS: usize = POINT + size_of::<StoredG2>();

/// CG16's commitment D to the committed wires. Its blinding factor is wiped on drop, and it serves for one proof.
pub struct Commitment {
    pub d: G1Affine,
    kappa: Blind,
    committed: Arc<Vec<Fr>>,
    vk_hash: Word,
}

/// A secret scalar, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Blind(Fr);

impl Blind {
    fn random() -> Result<Self> {
        Ok(Blind(field::random()?))
    }
}

/// All wires z, and the values a = A z, b = B z, c = C z of all rows but the dummy rows.
pub struct Assignment<'a> {
    pub wires: &'a [Fr],
    pub a: &'a [Fr],
    pub b: &'a [Fr],
    pub c: &'a [Fr],
}

impl ProvingKey {
    /// D = sum z_j [K_j / eta] + kappa delta for the committed wires, in order. Errors: this is a groth16 key, the
    /// number of wires is wrong.
    pub fn commit(&self, committed: Arc<Vec<Fr>>, monitor: &dyn Monitor) -> Result<Commitment> {
        if self.shape.system != System::Cg16 {
            return Err(Error::KeyMismatch("commit: this is a groth16 key; only cg16 commits".into()));
        }
        expect_len("committed wires", committed.len(), self.shape.n_committed)?;
        let kappa = Blind::random()?;
        monitor.step("commit", 0.0)?;
        room_for(monitor, "commit", BYTES * committed.len() + footprint(POINT).of(LEAST_TILE.min(committed.len())))?;
        let values = signed_scalars(&committed);
        let values = (&values[..], self.shape.first_committed() as u32);
        let sum = self.query("commit", Section::CommittedIndex, Section::CommittedPoints, values, monitor)?;
        let d = (sum + self.constants.delta1 * kappa.0).into_affine();
        Ok(Commitment { d, kappa, committed, vk_hash: self.vk.hash })
    }

    /// The challenge c for a commitment, an instance and a context.
    pub fn challenge(&self, commitment: &Commitment, instance: &[Fr], ctx: &Word) -> Result<Fr> {
        self.vk.check_instance(instance)?;
        Ok(transcript::challenge(&self.vk.seed(ctx, Some(&commitment.d), instance), 0))
    }

    /// A proof of `assignment` for `instance` under `ctx`, which has been verified.
    ///
    /// Errors: `Unsatisfied` (the first row with a b != c), `Witness` (wire 0, row values of other wires),
    /// `KeyMismatch` (lengths, commitment of another key, public wires that do not belong to the instance), `KeyFormat`
    /// (the key is damaged), `Cancelled`.
    pub fn prove(
        &self,
        assignment: &Assignment<'_>,
        commitment: Option<Commitment>,
        instance: &[Fr],
        ctx: &Word,
        monitor: &dyn Monitor,
    ) -> Result<Proof> {
        monitor.step("prove: check", 0.0)?;
        self.check_assignment(assignment)?;
        self.check_public(assignment, commitment.as_ref(), instance, ctx)?;
        let proof = self.assemble(assignment, commitment.as_ref(), monitor)?;
        monitor.step("prove: verify", 0.0)?;
        let proof = verified(&self.vk, instance, &proof, ctx).map_err(|_| self.explain_bad_proof())?;
        monitor.report("prove: done", 1.0);
        Ok(proof)
    }

    fn explain_bad_proof(&self) -> Error {
        match self.verify_digests() {
            Err(corrupt) => corrupt,
            Ok(()) => Error::Witness(
                "the proof made does not verify, and the key has its digests: a, b, c are not the row values of these \
                 wires, or the key was altered and its digests made again"
                    .into(),
            ),
        }
    }

    fn check_assignment(&self, z: &Assignment<'_>) -> Result<()> {
        let rows = self.shape.n_rows;
        let lengths = [("wires", z.wires, self.shape.n_wires), ("a", z.a, rows), ("b", z.b, rows), ("c", z.c, rows)];
        for (name, values, expected) in lengths {
            expect_len(name, values.len(), expected)
                .map_err(|e| Error::KeyMismatch(format!("prove: the key is for another circuit: {e}")))?;
        }
        if z.wires[0] != Fr::ONE {
            return Err(Error::Witness("wires[0]: expected the constant one".into()));
        }
        let holds = |row: usize| z.a[row] * z.b[row] == z.c[row];
        match (0..z.a.len()).into_par_iter().with_min_len(1024).find_first(|row| !holds(*row)) {
            Some(row) => Err(Error::Unsatisfied { row }),
            None => Ok(()),
        }
    }

    fn check_public(&self, z: &Assignment<'_>, d: Option<&Commitment>, instance: &[Fr], ctx: &Word) -> Result<()> {
        self.vk.check_instance(instance)?;
        let committed = &z.wires[self.shape.first_committed()..self.shape.first_private()];
        let mismatch = match (self.shape.system, d) {
            (System::Groth16, Some(_)) => Some("a groth16 proof has no commitment"),
            (System::Cg16, None) => Some("a cg16 proof needs a commitment"),
            (_, Some(d)) if d.vk_hash != self.vk.hash => Some("the commitment was made with another key"),
            (_, Some(d)) if d.committed.as_slice() != committed => Some("the committed wires are not the ones in D"),
            _ => None,
        };
        let seed = self.vk.seed(ctx, d.map(|d| &d.d), instance);
        let public = &z.wires[1..self.shape.first_committed()];
        match mismatch {
            Some(text) => Err(Error::KeyMismatch(format!("prove: {text}"))),
            None if self.vk.public_wires(&seed, instance) != public => {
                Err(Error::KeyMismatch("prove: the public wires are not those of this instance and context".into()))
            }
            None => Ok(()),
        }
    }

    fn assemble(&self, z: &Assignment<'_>, commitment: Option<&Commitment>, monitor: &dyn Monitor) -> Result<Proof> {
        room_for(monitor, "prove", self.least_memory())?;
        let (ra, sb) = (Blind::random()?, Blind::random()?);
        let fixed = &self.constants;
        let h_sum = self.h_query(z, monitor)?;
        let wires = signed_scalars(z.wires);
        let query = |stage, index, points| {
            monitor.step(stage, 0.0)?;
            self.query(stage, index, points, (&wires, 0), monitor)
        };
        let k_sum = query("prove: k", Section::KIndex, Section::KPoints)?;
        let a_sum = query("prove: a", Section::AIndex, Section::APoints)?;
        monitor.step("prove: b", 0.0)?;
        let (b1_sum, b2_sum) = self.b_query(&wires, monitor)?;

        let a = a_sum + fixed.alpha1 + fixed.delta1 * ra.0;
        let b1 = b1_sum + fixed.beta1 + fixed.delta1 * sb.0;
        let b = b2_sum + fixed.beta2 + fixed.delta2 * sb.0;
        let kappa_eta = commitment.zip(fixed.eta1).map_or(G1Projective::ZERO, |(d, eta1)| eta1 * d.kappa.0);
        let c = k_sum + h_sum + a * sb.0 + b1 * ra.0 - fixed.delta1 * (ra.0 * sb.0) - kappa_eta;
        Ok(Proof { a: a.into_affine(), b: b.into_affine(), c: c.into_affine(), d: commitment.map(|d| d.d) })
    }

    /// The fewest bytes that proving holds beside the assignment: in the quotient, for H or for B.
    pub(crate) fn least_memory(&self) -> usize {
        let least = |point: usize, scalars: usize| BYTES * scalars + footprint(point).of(LEAST_TILE.min(scalars));
        let quotient = 3 * BYTES * self.domain_size;
        quotient.max(least(POINT, self.domain_size)).max(least(POINTS, self.shape.n_wires))
    }

    /// The sum of a query of G1, a tile at a time where memory is bounded. `values`: those of the wires from a first
    /// one on, and that one's number.
    fn query(
        &self,
        stage: &'static str,
        index: Section,
        points: Section,
        values: (&[SignedScalar], u32),
        monitor: &dyn Monitor,
    ) -> Result<G1Projective> {
        let (index, points) = (self.indices(index)?, self.g1(points)?);
        let size = tile(monitor, stage, index.len(), footprint(POINT), LEAST_TILE)?;
        index.chunks(size).zip(points.chunks(size)).try_fold(G1Projective::ZERO, |sum, (index, points)| {
            Ok(sum + msm_picked::<G1>(points, &picked(values, index)?, monitor)?)
        })
    }

    /// The sums of the B query in both groups.
    fn b_query(&self, wires: &[SignedScalar], monitor: &dyn Monitor) -> Result<(G1Projective, G2Projective)> {
        let index = self.indices(Section::BIndex)?;
        let (g1, g2) = (self.g1(Section::B1Points)?, self.g2(Section::B2Points)?);
        let size = tile(monitor, "prove: b", index.len(), footprint(POINTS), LEAST_TILE)?;
        let mut tiles = index.chunks(size).zip(g1.chunks(size).zip(g2.chunks(size)));
        tiles.try_fold((G1Projective::ZERO, G2Projective::ZERO), |sums, (index, (g1, g2))| {
            let more = msm_both(g1, g2, &picked((wires, 0), index)?, monitor)?;
            Ok((sums.0 + more.0, sums.1 + more.1))
        })
    }

    /// The sum of a_i b_i [H_i] over the coset: h t / delta but for the term of C, which the K query has (see `setup`).
    fn h_query(&self, z: &Assignment<'_>, monitor: &dyn Monitor) -> Result<G1Projective> {
        monitor.step("prove: quotient", 0.0)?;
        let h = self.products_on_coset(z, monitor)?;
        monitor.step("prove: h", 0.0)?;
        let points = self.g1(Section::HPoints)?;
        let size = tile(monitor, "prove: h", h.len(), footprint(POINT), LEAST_TILE)?;
        let sum = |sum, (h, points)| Ok(sum + msm_picked::<G1>(points, &Scalars::all(h), monitor)?);
        h.chunks(size).zip(points.chunks(size)).try_fold(G1Projective::ZERO, sum)
    }

    /// The values a_i b_i on the coset. A and B are interpolated over all rows, also the dummy rows wire_j * 0.
    fn products_on_coset(&self, z: &Assignment<'_>, monitor: &dyn Monitor) -> Result<Zeroizing<Vec<SignedScalar>>> {
        let n = self.domain_size;
        let domain = Domain::new(n)?;
        let on_coset = |rows: &[Fr], dummy: &[Fr]| -> Result<Zeroizing<Vec<Fr>>> {
            let at = |i: usize| rows.get(i).or_else(|| dummy.get(i - rows.len())).copied().unwrap_or(Fr::ZERO);
            let mut out = Zeroizing::new(collect(n, at));
            domain.extend(&mut out)?;
            Ok(out)
        };
        let a = on_coset(z.a, &z.wires[..self.shape.first_committed()])?;
        monitor.step("prove: quotient", 0.5)?;
        let b = on_coset(z.b, &[])?;
        Ok(signed_products(&a, &b))
    }
}

/// The scalars of a query. Errors: its index names a wire that does not exist.
fn picked<'a>((values, first): (&'a [SignedScalar], u32), index: &'a [u32]) -> Result<Scalars<'a>> {
    let picked = Scalars::picked(values, index, first);
    picked.map_err(|j| Error::KeyFormat(format!("proving key: wire {j} does not exist")))
}
