//! The prover for keys of snarkjs.
//!
//! A = alpha + sum z_j [u_j] + r delta;  B = beta + sum z_j [v_j] + s delta (in G1 as B1);
//! C = sum_private z_j [K_j / delta] + sum_i (a_i b_i - c_i) [H_i] + s A + r B1 - r s delta,
//!
//! where a, b, c are A, B and the polynomial through the products of the rows, on the odd points of the domain of twice
//! the size, on which t is -2: the factor is in H. It takes six transforms, because the file does not hold the C
//! matrix.

use ark_ec::short_weierstrass::Projective;
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::circom::zkey::{Part, Zkey, KIND};
use crate::error::{Error, Result};
use crate::kernel::curve::{Curve, G1, G2};
use crate::kernel::fft::Domain;
use crate::kernel::field::{self, canonical, lowered, Fr, BYTES};
use crate::kernel::msm::{footprint, msm_picked, signed_scalars, Scalars, SignedScalar, LEAST_TILE};
use crate::memory::{collect, room_for, tile, Footprint};
use crate::monitor::Monitor;
use crate::system::System;
use crate::verify::{verify, Proof};

/// The bytes of points that are copied at a time.
const MOST_BYTES: usize = 32 << 20;

/// An error of reading, met while proving: it is the key that is malformed, not the witness.
fn key_error(error: Error) -> Error {
    match error {
        Error::Format(text) => Error::KeyFormat(text),
        other => other,
    }
}

/// The memory of a multiplication, and of the copy of its points that has been made for it.
fn footprint_twice<C: Curve>() -> Footprint {
    let once = footprint(size_of::<C::Stored>());
    Footprint { per_item: once.per_item + size_of::<C::Stored>(), ..once }
}

impl Zkey {
    /// A proof for all wires (the one first), which has been verified, and the public wires.
    ///
    /// Errors: KeyMismatch (another number of wires), Witness (the proof made does not verify: the wires do not satisfy
    /// the constraints, or the key is damaged), KeyFormat (a point off its curve), Cancelled.
    pub fn prove<'w>(&self, wires: &'w [Fr], monitor: &dyn Monitor) -> Result<(Proof, &'w [Fr])> {
        if wires.len() != self.n_wires {
            let (expected, got) = (self.n_wires, wires.len());
            return Err(Error::KeyMismatch(format!("witness: the key expects {expected} wires, got {got}")));
        }
        if wires[0] != Fr::ONE {
            return Err(Error::Witness("witness: expected wire 0 to be 1".into()));
        }
        let public = &wires[1..=self.n_public];
        let proof = self.assemble(wires, monitor)?;
        monitor.step("prove: verify", 0.95)?;
        // The points are parsed again, so that points off their curves or subgroup are refused too.
        let checked = Proof::from_bytes(System::Groth16, &proof.to_bytes());
        let verified = checked.and_then(|proof| verify(&self.vk, public, &proof, &[0; 32]).map(|()| proof));
        let proof = verified.map_err(|_| {
            Error::Witness(
                "the proof made does not verify: the witness does not satisfy the constraints of the key's circuit, or \
                 the key is damaged"
                    .into(),
            )
        })?;
        monitor.report("prove: done", 1.0);
        Ok((proof, public))
    }

    fn assemble(&self, wires: &[Fr], monitor: &dyn Monitor) -> Result<Proof> {
        room_for(monitor, "prove", self.least_memory())?;
        let blinding = Zeroizing::new([field::random()?, field::random()?]);
        let [r, s] = *blinding;
        monitor.step("prove: quotient", 0.0)?;
        let quotient = signed_scalars(&self.quotient(wires, monitor)?);
        monitor.step("prove: h", 0.25)?;
        let h = self.multiply::<G1>(Part::H, &quotient, monitor)?;
        drop(quotient);
        monitor.step("prove: k", 0.45)?;
        let wires = signed_scalars(wires);
        let k = self.multiply::<G1>(Part::C, &wires[self.n_public + 1..], monitor)?;
        monitor.step("prove: a", 0.55)?;
        let a_sum = self.multiply::<G1>(Part::A, &wires, monitor)?;
        monitor.step("prove: b1", 0.65)?;
        let b1_sum = self.multiply::<G1>(Part::B1, &wires, monitor)?;
        monitor.step("prove: b2", 0.75)?;
        let b2_sum = self.multiply::<G2>(Part::B2, &wires, monitor)?;

        let key = &self.constants;
        let a = a_sum + key.alpha1 + key.delta1 * r;
        let b1 = b1_sum + key.beta1 + key.delta1 * s;
        let b = b2_sum + key.beta2 + key.delta2 * s;
        let c = k + h + a * s + b1 * r - key.delta1 * (r * s);
        Ok(Proof { a: a.into_affine(), b: b.into_affine(), c: c.into_affine(), d: None })
    }

    /// The fewest bytes that proving holds beside the witness: in the quotient, for H or for B2.
    fn least_memory(&self) -> usize {
        let quotient = 4 * BYTES * self.domain_size;
        let h = BYTES * self.domain_size + footprint_twice::<G1>().of(LEAST_TILE.min(self.domain_size));
        let b2 = BYTES * self.n_wires + footprint_twice::<G2>().of(LEAST_TILE.min(self.n_wires));
        quotient.max(h).max(b2)
    }

    /// The sum of scalars[i] [part_i]. Points other than infinity are copied to where they are aligned.
    fn multiply<C: Curve>(&self, part: Part, scalars: &[SignedScalar], monitor: &dyn Monitor) -> Result<Projective<C>> {
        let (points, finite) = self.query::<C>(part).map_err(key_error)?;
        let most = MOST_BYTES / size_of::<C::Stored>();
        let size = tile(monitor, "prove", finite.len().min(most), footprint_twice::<C>(), LEAST_TILE)?;
        finite.chunks(size).try_fold(Projective::<C>::ZERO, |sum, tile| {
            let picked = Scalars::picked(scalars, tile, 0);
            let picked = picked
                .map_err(|i| key_error(KIND.error(format!("section {} has a point {i} too many", part as u32))))?;
            Ok(sum + msm_picked::<C>(&points.gather(tile), &picked, monitor)?)
        })
    }

    /// The values a b - c on the odd points.
    fn quotient(&self, wires: &[Fr], monitor: &dyn Monitor) -> Result<Zeroizing<Vec<Fr>>> {
        let low = Zeroizing::new(collect(wires.len(), |i| lowered(canonical(&wires[i]))));
        let [mut a, mut b] = self.row_values(wires, &low).map_err(key_error)?.map(Zeroizing::new);
        drop(low);
        let mut c = Zeroizing::new(collect(a.len(), |i| a[i] * b[i]));
        let domain = Domain::new(self.domain_size)?;
        for (values, fraction) in [(&mut a, 0.08), (&mut b, 0.14), (&mut c, 0.2)] {
            monitor.step("prove: quotient", fraction)?;
            domain.extend(values)?;
        }
        a.par_iter_mut().zip(&*b).zip(&*c).with_min_len(1 << 10).for_each(|((x, y), z)| *x = *x * y - z);
        Ok(a)
    }
}
