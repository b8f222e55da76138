//! The checks of a ceremony (docs/spec/ceremony.md, section 6). Messages name the contribution that they are about.

use std::collections::HashMap;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Zero};
use rayon::prelude::*;

use super::file::{named, Ceremony};
use super::knowledge::proves;
use super::start::Initial;
use super::table::{trapdoors, untouched, Constants, Pair, Trapdoor};
use super::transcript::{Kind, Parse, Record, Step};
use super::{beacon, refused};
use crate::circom::points::Points;
use crate::error::{Error, Result};
use crate::kernel::curve::{G1Affine, G1Projective, G2Affine, StoredG1, G1};
use crate::kernel::field::{Fp, Fr};
use crate::kernel::msm::msm;
use crate::key::Section;
use crate::monitor::Monitor;
use crate::system::System;
use crate::transcript::Word;
use crate::verify::pairing_is_one;

/// Points whose weights are held at a time.
const PIECE: usize = 1 << 18;
const BYTES_OF_WEIGHT: usize = 16;

/// Checks 2 to 5, which need nothing but the file: what everybody checks before contributing.
pub fn received(file: &Ceremony, monitor: &dyn Monitor) -> Result<()> {
    chain(file)?;
    monitor.step("verify: digests", 0.0)?;
    current(file)?;
    monitor.step("verify: points", 0.0)?;
    points(file)
}

/// Checks 6 to 8 against the initial key that the caller has derived. Errors: KeyMismatch (another circuit, other
/// powers of tau), UnsafeKey (the key is not what the contributions make of the initial one).
pub fn against(file: &Ceremony, initial: &Initial, monitor: &dyn Monitor) -> Result<()> {
    same_start(file, initial)?;
    nothing_else(file, initial)?;
    for trapdoor in trapdoors(file.head.system) {
        let pair = trapdoor.of_key(&file.key)?;
        for section in trapdoor.sections {
            let holds = ratio(file.key.g1(*section)?, initial.key.g1(*section)?, &pair, monitor)?;
            if !holds {
                let (latest, label) = (file.latest(), trapdoor.label);
                return Err(refused(format!("{latest}: {section:?} is not the initial one divided by {label}")));
            }
        }
    }
    Ok(())
}

/// What is known of the contributions before one of them.
struct Known {
    /// Each trapdoor as it is.
    now: Vec<Pair>,
    /// The x of all secrets' points, which is the same for a secret and its negative, and who used it.
    secrets: HashMap<Fp, String>,
    /// Whether there was a contribution that is not snarkjs's.
    ours: bool,
}

impl Known {
    fn start(system: System) -> Self {
        Known { now: vec![Pair::one(); trapdoors(system).len()], secrets: HashMap::new(), ours: false }
    }

    /// Check 3 for the next record, which becomes known. `next`: the kind of the one after it.
    fn add(&mut self, system: System, number: usize, record: &Record, before: &Word, next: Option<Kind>) -> Parse<()> {
        if record.origin.kind == Kind::Snarkjs {
            return self.add_of_snarkjs(system, record, next != Some(Kind::Snarkjs));
        }
        let context = record.origin.context(before);
        beacon::check_source(&record.origin)?;
        for ((trapdoor, step), prev) in trapdoors(system).iter().zip(&record.steps).zip(&self.now) {
            check_step(step, trapdoor, &context, prev)?;
            if record.origin.kind != Kind::Contribution {
                let secret = beacon::secret(&record.origin, &context, trapdoor)?;
                if secret.step(trapdoor, &context, prev) != *step {
                    return Err(format!("its {} does not follow from the beacon", trapdoor.label));
                }
            }
        }
        for (step, trapdoor) in record.steps.iter().zip(trapdoors(system)) {
            let user = format!("{} of {}", trapdoor.label, named(number, &record.origin.name));
            if let Some(earlier) = self.secrets.insert(step.secret.x, user) {
                return Err(format!("its secret for {} was used before, for {earlier}", trapdoor.label));
            }
        }
        self.now = record.steps.iter().map(|step| step.new).collect();
        self.ours = true;
        self.independent(system)
    }

    /// The same for a contribution by snarkjs, but for its proof of knowledge, which the caller checks as snarkjs does:
    /// it is in the source and says [new]1. `last`: no other one comes right after it.
    fn add_of_snarkjs(&mut self, system: System, record: &Record, last: bool) -> Parse<()> {
        let ([step], [now]) = (&record.steps[..], &self.now[..]) else {
            return Err(String::from("snarkjs contributes to plain Groth16 alone"));
        };
        if self.ours {
            return Err(String::from("contributions by snarkjs come before all others"));
        }
        if step.new.g1.x == now.g1.x {
            return Err(String::from("it leaves delta as it was, up to sign: nobody contributed"));
        }
        if step.new.g2.is_zero() == last || !step.answer.is_zero() {
            return Err(String::from("something stands where zeros are due, or zeros where delta is"));
        }
        self.now = vec![step.new];
        if !last {
            return Ok(());
        }
        let one = Pair::one();
        match pairing_is_one(&[(step.new.g1, one.g2), (-one.g1, step.new.g2)]) {
            true => self.independent(system),
            false => Err(String::from("delta differs between G1 and G2")),
        }
    }

    /// gamma = 1 and all trapdoors are pairwise distinct up to sign.
    fn independent(&self, system: System) -> Parse<()> {
        let mut seen = vec![("gamma", G2Affine::generator())];
        for (trapdoor, pair) in trapdoors(system).iter().zip(&self.now) {
            if let Some((other, _)) = seen.iter().find(|(_, p)| *p == pair.g2 || *p == -pair.g2) {
                return Err(format!("{} = +-{other}: anyone could forge proofs", trapdoor.label));
            }
            seen.push((trapdoor.label, pair.g2));
        }
        Ok(())
    }
}

fn check_step(step: &Step, trapdoor: &Trapdoor, context: &Word, prev: &Pair) -> Parse<()> {
    let (label, one) = (trapdoor.label, Pair::one());
    if step.secret.x == one.g1.x || step.new.g1.x == prev.g1.x {
        return Err(format!("it leaves {label} as it was, up to sign: nobody contributed"));
    }
    if !proves(step, trapdoor, context, prev) {
        return Err(format!("the proof that its secret for {label} was known is wrong, or was made for another place"));
    }
    if !pairing_is_one(&[(step.secret, prev.g2), (-one.g1, step.new.g2)]) {
        return Err(format!("{label} is not the one before times its secret"));
    }
    match pairing_is_one(&[(step.new.g1, one.g2), (-one.g1, step.new.g2)]) {
        true => Ok(()),
        false => Err(format!("{label} differs between G1 and G2")),
    }
}

fn chain(file: &Ceremony) -> Result<()> {
    let mut known = Known::start(file.head.system);
    for (at, record) in file.records.iter().enumerate() {
        let next = file.records.get(at + 1).map(|record| record.origin.kind);
        let outcome = known.add(file.head.system, at + 1, record, &file.transcripts[at], next);
        outcome.map_err(|text| refused(format!("{}: {text}", named(at + 1, &record.origin.name))))?;
    }
    Ok(())
}

/// Check 3 for a record that is about to be appended to a file that has been checked.
pub(super) fn appended(file: &Ceremony, record: &Record) -> Result<()> {
    let mut known = Known::start(file.head.system);
    for (at, earlier) in file.records.iter().enumerate() {
        known.now = earlier.steps.iter().map(|step| step.new).collect();
        if earlier.origin.kind == Kind::Snarkjs {
            continue;
        }
        let used = earlier.steps.iter().map(|step| (step.secret.x, named(at + 1, &earlier.origin.name)));
        known.secrets.extend(used);
    }
    let number = file.records.len() + 1;
    let outcome = known.add(file.head.system, number, record, &file.transcript_hash(), None);
    outcome.map_err(|text| refused(format!("{}: {text}", named(number, &record.origin.name))))
}

/// Checks 2 and 4: every section has its digest, and the key is what the last record says.
fn current(file: &Ceremony) -> Result<()> {
    let about = |text: String| refused(format!("{}: {text}", file.latest()));
    file.key.verify_digests().map_err(|e| about(e.to_string()))?;
    if file.key.vk.gamma != G2Affine::generator() {
        return Err(about("gamma of its key is not 1".into()));
    }
    let last = file.records.last();
    if last.is_none() && file.key.digest() != file.head.initial {
        return Err(about("its key is not the one in the head".into()));
    }
    let mut digests = last.map(|record| record.digests.iter());
    for (at, trapdoor) in trapdoors(file.head.system).iter().enumerate() {
        let recorded = last.map_or(Pair::one(), |record| record.steps[at].new);
        if trapdoor.of_key(&file.key)? != recorded {
            return Err(about(format!("{} of the key is not the recorded one", trapdoor.label)));
        }
        for section in trapdoor.sections {
            let recorded = digests.as_mut().and_then(|digests| digests.next());
            if recorded.is_some_and(|digest| *digest != file.key.section_digest(*section)) {
                return Err(about(format!("{section:?} of the key is not the recorded one")));
            }
        }
    }
    Ok(())
}

/// Check 5.
fn points(file: &Ceremony) -> Result<()> {
    for section in trapdoors(file.head.system).iter().flat_map(|trapdoor| trapdoor.sections) {
        let points = Points::<G1>::new(file.key.section(*section)?);
        let wrong = |i: &usize| points.is_infinity(*i) || !points.is_valid(*i);
        if let Some(i) = (0..points.len()).into_par_iter().with_min_len(1 << 10).find_first(wrong) {
            let text = format!("{}: {section:?}: point {i} is not a point of G1 other than infinity", file.latest());
            return Err(refused(text));
        }
    }
    Ok(())
}

/// Check 6.
fn same_start(file: &Ceremony, initial: &Initial) -> Result<()> {
    let (said, own) = (&file.head, initial.head());
    let differences = [
        (said.system != own.system, "it is of another proof system than the circuit"),
        (said.circuit_hash != own.circuit_hash, "it is of another circuit"),
        (said.ptau != own.ptau || said.power != own.power, "it started from another .ptau file"),
        (said.initial != own.initial, "its initial key is not the one that circuit and .ptau give"),
    ];
    match differences.iter().find(|(differs, _)| *differs) {
        Some((_, text)) => Err(Error::KeyMismatch(format!("ceremony: the start: {text}"))),
        None => Ok(()),
    }
}

/// Check 7.
fn nothing_else(file: &Ceremony, initial: &Initial) -> Result<()> {
    let (now, then) = (&file.key, &initial.key);
    let about = |what: String| refused(format!("{}: {what} is not that of the initial key", file.latest()));
    if (now.shape, now.counts()) != (then.shape, then.counts()) {
        return Err(about("the key's header".into()));
    }
    let differs = |section: &Section| now.section_digest(*section) != then.section_digest(*section);
    if let Some(section) = untouched(file.head.system).find(differs) {
        return Err(about(format!("{section:?}")));
    }
    let mut expected = Constants::of_key(then)?;
    for trapdoor in trapdoors(file.head.system) {
        trapdoor.put(&mut expected, &trapdoor.of_key(now)?);
    }
    match expected == Constants::of_key(now)? {
        true => Ok(()),
        false => Err(about("the verifying key or a constant".into())),
    }
}

/// Check 8: whether now = then / x, by e(sum rho_j now_j, [x]2) = e(sum rho_j then_j, G2).
fn ratio(now: &[StoredG1], then: &[StoredG1], x: &Pair, monitor: &dyn Monitor) -> Result<bool> {
    let (mut left, mut right) = (G1Projective::ZERO, G1Projective::ZERO);
    let (total, mut done) = (now.len(), 0);
    for (now, then) in now.chunks(PIECE).zip(then.chunks(PIECE)) {
        let weights = weights(now.len())?;
        left += msm::<G1>(now, &weights, monitor)?;
        right += msm::<G1>(then, &weights, monitor)?;
        done += now.len();
        monitor.step("verify: ratios", done as f64 / total as f64)?;
    }
    let (left, right): (G1Affine, G1Affine) = (left.into_affine(), right.into_affine());
    Ok(pairing_is_one(&[(left, x.g2), (-right, G2Affine::generator())]))
}

/// Independent uniform weights of 128 bits, from a seed that nobody knew when the file was written.
fn weights(count: usize) -> Result<Vec<Fr>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Internal(format!("no randomness: {e}")))?;
    let mut bytes = vec![0; count * BYTES_OF_WEIGHT];
    blake3::Hasher::new_keyed(&seed).finalize_xof().fill(&mut bytes);
    let weight = |bytes: &[u8; BYTES_OF_WEIGHT]| Fr::from(u128::from_le_bytes(*bytes));
    Ok(bytes.as_chunks().0.par_iter().map(weight).collect())
}
