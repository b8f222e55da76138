//! A contribution: every divided point of the key is multiplied by the inverse of a secret.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::beacon;
use super::file::{Ceremony, Draft};
use super::knowledge::Secret;
use super::malformed;
use super::table::{trapdoors, Constants};
use super::transcript::{Kind, Origin, Record};
use super::verify;
use crate::error::Result;
use crate::kernel::curve::StoredG1;
use crate::kernel::field::Fr;
use crate::kernel::msm::same_scalar::{SameScalar, MOST};
use crate::monitor::Monitor;
use crate::transcript::Word;

const STAGE: &str = "contribute: points";

/// Writes the ceremony with one more contribution to a new file at `place`, and returns the attestation. `typed` is
/// mixed into the secrets, which are wiped. Errors: what was received does not hold (`verify::received`); cancelled.
pub fn contribute(file: &Ceremony, name: &str, typed: &[u8], place: &Path, monitor: &dyn Monitor) -> Result<Word> {
    let origin = Origin::new(Kind::Contribution, name, &[])?;
    let secrets = trapdoors(file.head.system).iter().map(|_| Secret::random(typed)).collect::<Result<_>>()?;
    append(file, origin, secrets, place, monitor)
}

/// The same with the secrets of a beacon, whose source the caller has checked.
pub fn apply_beacon(file: &Ceremony, origin: Origin, place: &Path, monitor: &dyn Monitor) -> Result<Word> {
    let context = origin.context(&file.transcript_hash());
    let of = |trapdoor| beacon::secret(&origin, &context, trapdoor).map_err(malformed);
    let secrets = trapdoors(file.head.system).iter().map(of).collect::<Result<_>>()?;
    append(file, origin, secrets, place, monitor)
}

/// Writes the key of a ceremony, all of which the caller has checked. `development`: as what it is marked. Errors
/// (UnsafeKey): nobody contributed.
pub fn finish(file: &Ceremony, place: &Path, development: bool) -> Result<()> {
    file.key.vk.check_trapdoors()?;
    file.key.save_marked(place, development)
}

fn append(file: &Ceremony, origin: Origin, secrets: Vec<Secret>, place: &Path, monitor: &dyn Monitor) -> Result<Word> {
    verify::received(file, monitor)?;
    let system = file.head.system;
    let before = file.transcript_hash();
    let context = origin.context(&before);
    let mut draft = Draft::new(place, &file.key, file.transcript.len() + Record::length(system, &origin))?;
    let mut constants = Constants::of_key(&file.key)?;
    let mut steps = Vec::new();
    for (trapdoor, secret) in trapdoors(system).iter().zip(&secrets) {
        let step = secret.step(trapdoor, &context, &trapdoor.of_key(&file.key)?);
        trapdoor.put(&mut constants, &step.new);
        steps.push(step);
        for section in trapdoor.sections {
            multiply(file.key.g1(*section)?, draft.writer.section(*section)?, &*secret.inverse()?, monitor)?;
        }
    }
    constants.write(&mut draft.writer)?;
    draft.writer.write_header(true);
    let sections = trapdoors(system).iter().flat_map(|trapdoor| trapdoor.sections);
    let digests = sections.map(|section| draft.writer.section_digest(*section)).collect();
    let record = Record { origin, steps, digests };
    verify::appended(file, &record)?;
    let bytes = record.to_bytes(system);
    let hash = Record::hash(&before, &bytes);
    draft.finish(&[&file.transcript[..], &bytes].concat(), file.records.len() + 1)?;
    Ok(hash)
}

/// products[i] = factor points[i], on all threads.
fn multiply(points: &[StoredG1], products: &mut [StoredG1], factor: &Fr, monitor: &dyn Monitor) -> Result<()> {
    let (scalar, done, total) = (SameScalar::new(factor)?, AtomicUsize::new(0), points.len());
    products.par_chunks_mut(MOST).zip(points.par_chunks(MOST)).try_for_each(|(products, points)| {
        scalar.multiply(points, products)?;
        let before = done.fetch_add(points.len(), Ordering::Relaxed);
        monitor.step(STAGE, (before + points.len()) as f64 / total as f64)
    })
}
