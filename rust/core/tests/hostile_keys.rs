//! Keys that are not what they say, because somebody has altered them and made all digests again.

mod common;

use std::collections::HashSet;

use ark_ec::AffineRepr;
use ark_ff::AdditiveGroup;
use common::exercise::reseal;
use common::{keyed_samples, Values};
use zkchain_core::kernel::curve::{Curve, G1Affine, G1, G2};
use zkchain_core::kernel::field::{Fp, Fp2, Fr};
use zkchain_core::key::{ProvingKey, Section};
use zkchain_core::monitor::Silent;
use zkchain_core::system::System;
use zkchain_core::verify::Proof;
use zkchain_core::{Error, Result};

const TABLE: usize = 192;
const ENTRY: usize = 64;

/// The bytes of a section, without padding.
fn place(bytes: &[u8], section: Section) -> std::ops::Range<usize> {
    let at = TABLE + ENTRY * (section as usize - 1);
    let word = |k: usize| u64::from_le_bytes(bytes[at + k..at + k + 8].try_into().expect("eight bytes")) as usize;
    word(16)..word(16) + word(24)
}

/// The key with a section changed and every digest made again, as an attacker would.
fn altered(bytes: &[u8], section: Section, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut out = bytes.to_vec();
    change(&mut out[place(bytes, section)]);
    for section in Section::ALL {
        let range = place(&out, section);
        let padded = range.start..range.start + (range.end - range.start).next_multiple_of(64);
        let digest = *blake3::hash(&out[padded]).as_bytes();
        let at = TABLE + ENTRY * (section as usize - 1) + 32;
        out[at..at + 32].copy_from_slice(&digest);
    }
    reseal(&mut out);
    out
}

fn open(bytes: &[u8]) -> Result<ProvingKey> {
    let key = ProvingKey::from_bytes(bytes)?;
    key.verify_digests().map(|()| key)
}

const ALPHA: usize = 0;
const BETA: usize = 1;
const DELTA: usize = 2;
const ETA: usize = 3;

/// Puts `with` at the place of a point of G1.
fn put(slot: usize, with: G1Affine) -> impl Fn(&mut [u8]) {
    move |c| c[64 * slot..64 * slot + 64].copy_from_slice(bytemuck::bytes_of(&G1::store(&with)))
}

fn stored(key: &ProvingKey, slot: usize) -> G1Affine {
    G1::load(&key.g1(Section::ConstantsG1).expect("section")[slot])
}

#[test]
fn an_unaltered_key_made_again_opens() {
    for (sample, bytes) in keyed_samples() {
        let key = open(&altered(bytes, Section::ConstantsG1, |_| ())).expect("the same key");
        assert_eq!(key.as_bytes(), bytes);
        sample.prove(&key).expect("proof");
    }
}

#[test]
fn constants_of_g1_are_the_verifying_keys() {
    for (_, bytes) in keyed_samples() {
        let key = open(bytes).expect("good key");
        let (infinity, generator) = (G1Affine::zero(), G1Affine::generator());
        let [alpha, beta, delta] = [ALPHA, BETA, DELTA].map(|slot| stored(&key, slot));
        let mut cases = vec![
            (ALPHA, infinity),
            (ALPHA, beta),
            (ALPHA, -alpha),
            (BETA, infinity),
            (BETA, delta),
            (BETA, -beta),
            (DELTA, infinity),
            (DELTA, generator),
            (DELTA, beta),
            (DELTA, -delta),
            // groth16 has no eta: what stands there would mean nothing.
            (ETA, delta),
            (ETA, generator),
        ];
        if key.shape.system == System::Cg16 {
            cases.extend([(ETA, infinity), (ETA, -stored(&key, ETA))]);
        }
        for (slot, point) in cases {
            let result = open(&altered(bytes, Section::ConstantsG1, put(slot, point))).map(|_| ());
            let refused = matches!(&result, Err(Error::UnsafeKey(text)) if text.contains("published"));
            assert!(refused, "{} slot {slot}: {result:?}", key.shape.system.name());
        }
    }
}

#[test]
fn constants_off_their_curve_are_refused() {
    for (_, bytes) in keyed_samples() {
        for slot in [BETA, DELTA] {
            let stray = G1Affine::new_unchecked(Fp::from(1u64), Fp::from(3u64));
            let result = open(&altered(bytes, Section::ConstantsG1, put(slot, stray))).map(|_| ());
            assert!(matches!(&result, Err(Error::KeyFormat(text)) if text.contains("not a point")), "{result:?}");
        }
    }
}

#[test]
fn constants_of_g2_are_the_verifying_keys() {
    for (_, bytes) in keyed_samples() {
        let swap: fn(&mut [u8]) = |c| c.rotate_left(128);
        let beta_infinite: fn(&mut [u8]) = |c| c[..128].fill(0);
        let delta_infinite: fn(&mut [u8]) = |c| c[128..].fill(0);
        for change in [swap, beta_infinite, delta_infinite] {
            let result = open(&altered(bytes, Section::ConstantsG2, change)).map(|_| ());
            assert!(matches!(result, Err(Error::UnsafeKey(_))), "{result:?}");
        }
    }
}

/// The whole attack: with delta1, beta1 and [v_j]1 at infinity proofs would verify, and A would be alpha + sum z_j
/// [u_j].
#[test]
fn a_key_that_does_not_blind_is_refused() {
    for (_, bytes) in keyed_samples() {
        let bytes = altered(bytes, Section::B1Points, |c| c.fill(0));
        let bytes = altered(&bytes, Section::ConstantsG1, |c| c[64 * BETA..64 * DELTA + 64].fill(0));
        let result = open(&bytes).map(|_| ());
        assert!(matches!(&result, Err(Error::UnsafeKey(text)) if text.contains("beta1")), "{result:?}");
    }
}

/// When the constants are those of the verifying key, no other change of a key gives a proof that is not blinded:
/// altered queries give no proof at all.
#[test]
fn altered_queries_make_no_proof() {
    let stray = (1..)
        .filter_map(|x| ark_bn254::G2Affine::get_point_from_x_unchecked(Fp2::new(Fp::from(x), Fp::from(1u64)), true))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .expect("most points are outside");
    for (sample, bytes) in keyed_samples() {
        let mut keys: Vec<_> = [Section::APoints, Section::B1Points, Section::B2Points, Section::KPoints]
            .map(|section| (section, altered(bytes, section, |c| c.fill(0))))
            .into();
        keys.push((
            Section::B2Points,
            altered(bytes, Section::B2Points, |c| {
                c.chunks_exact_mut(128).for_each(|point| point.copy_from_slice(bytemuck::bytes_of(&G2::store(&stray))));
            }),
        ));
        keys.push((Section::APoints, altered(bytes, Section::APoints, |c| c[0] ^= 1)));
        if sample.shape.system == System::Cg16 {
            keys.push((Section::CommittedPoints, altered(bytes, Section::CommittedPoints, |c| c.fill(0))));
        }
        for (section, bytes) in keys {
            let key = open(&bytes).expect("constants and digests hold");
            let result = sample.prove(&key).map(|_| ());
            assert!(matches!(result, Err(Error::Witness(_))), "{section:?}: {result:?}");
        }
    }
}

/// Many proofs of one witness have no element in common.
#[test]
fn proofs_of_one_witness_share_no_element() {
    for (sample, bytes) in keyed_samples() {
        let key = open(bytes).expect("good key");
        let proofs: Vec<Proof> = (0..32).map(|_| sample.prove(&key).expect("proof")).collect();
        let distinct = |element: &dyn Fn(&Proof) -> Vec<u8>| proofs.iter().map(element).collect::<HashSet<_>>().len();
        assert_eq!(distinct(&|p| p.to_bytes()[..64].to_vec()), 32, "a");
        assert_eq!(distinct(&|p| p.to_bytes()[64..192].to_vec()), 32, "b");
        assert_eq!(distinct(&|p| p.to_bytes()[192..256].to_vec()), 32, "c");
        if sample.shape.system == System::Cg16 {
            assert_eq!(distinct(&|p| p.to_bytes()[256..].to_vec()), 32, "d");
        }
    }
}

/// What the check of the constants cannot see: with one point of K altered, whether a proof is made tells if that wire
/// is zero. The key's digest shows the change.
#[test]
fn an_altered_point_of_k_fails_for_some_witnesses_only() {
    let (sample, bytes) = &keyed_samples()[0];
    let honest = open(bytes).expect("good key");
    let zeroed = |wire: usize| {
        let mut wires = sample.wires.clone();
        wires[wire] = Fr::ZERO;
        sample.values(wires)
    };
    let holds = |values: &Values| (0..values.a.len()).all(|row| values.a[row] * values.b[row] == values.c[row]);
    let wires = honest.indices(Section::KIndex).expect("section");
    let place = wires
        .iter()
        .map(|wire| *wire as usize)
        .position(|wire| wire >= sample.shape.first_private() && sample.wires[wire] != Fr::ZERO && holds(&zeroed(wire)))
        .expect("a wire that may as well be zero");
    let values = zeroed(wires[place] as usize);

    let hostile = open(&altered(bytes, Section::KPoints, put(place, G1Affine::generator()))).expect("tied");
    assert_ne!(hostile.digest(), honest.digest());
    let prove = |key: &ProvingKey, values: &Values| {
        key.prove(&values.borrow(), None, &sample.instance(), &[0; 32], &Silent).map(|_| ())
    };
    let full = sample.values(sample.wires.clone());
    assert!(matches!(prove(&hostile, &full), Err(Error::Witness(_))), "the wire is not zero");
    prove(&hostile, &values).expect("the wire is zero");
    prove(&honest, &full).expect("an honest key proves both");
    prove(&honest, &values).expect("an honest key proves both");
}
