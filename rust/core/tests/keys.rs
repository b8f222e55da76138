//! The key file: round trips, and every kind of damage.

mod common;

use common::exercise::reseal;
use common::{keyed_samples, Sample};
use proptest::prelude::*;
use zkchain_core::key::ProvingKey;
use zkchain_core::monitor::Silent;
use zkchain_core::{Error, Result};

/// Opens damaged bytes, checks digests and proves. Nothing may panic, and not everything may succeed.
fn try_all(sample: &Sample, bytes: &[u8]) -> Result<()> {
    let key = ProvingKey::from_bytes(bytes)?;
    let digests = key.verify_digests();
    let proved = sample.prove(&key).map(|_| ());
    digests.and(proved)
}

fn is_format_error(result: &Result<()>) -> bool {
    matches!(result, Err(Error::KeyFormat(_) | Error::UnsafeKey(_)))
}

#[test]
fn keys_round_trip_through_files() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (i, (sample, bytes)) in keyed_samples().iter().enumerate() {
        let key = ProvingKey::from_bytes(bytes).expect("good key");
        let path = folder.path().join(format!("{i}.zkpk"));
        key.save(&path).expect("saved");
        let mapped = ProvingKey::open(&path).expect("mapped");
        assert_eq!(mapped.as_bytes(), bytes);
        assert_eq!(mapped.shape, sample.shape);
        assert!(mapped.development);
        mapped.verify_digests().expect("intact");
        sample.prove(&mapped).expect("proof");
    }
    assert!(matches!(ProvingKey::open(&folder.path().join("absent")), Err(Error::Io(_))));
}

#[test]
fn truncated_and_extended_files_are_refused() {
    for (sample, bytes) in keyed_samples() {
        let ends = [0, 1, 63, 191, 192, 1023, 1024, bytes.len() / 2, bytes.len() - 64, bytes.len() - 1];
        assert!(ends.iter().all(|end| is_format_error(&try_all(sample, &bytes[..*end]))));
        let longer = [bytes.as_slice(), &[0; 64]].concat();
        assert!(is_format_error(&try_all(sample, &longer)));
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("short");
    std::fs::write(&path, b"").expect("written");
    assert!(matches!(ProvingKey::open(&path), Err(Error::KeyFormat(_))));
    std::fs::write(&path, &keyed_samples()[0].1[..4096]).expect("written");
    assert!(matches!(ProvingKey::open(&path), Err(Error::KeyFormat(_))));
}

#[test]
fn other_versions_and_files_are_named() {
    let mut bytes = keyed_samples()[0].1.clone();
    bytes[8] = 2;
    let text = ProvingKey::from_bytes(&bytes).map(|_| ()).expect_err("version 2").to_string();
    assert!(text.contains("version 2"), "{text}");
    let text = ProvingKey::from_bytes(&[7; 2048]).map(|_| ()).expect_err("not a key").to_string();
    assert!(text.contains("not a zkchain proving key"), "{text}");
}

#[test]
fn every_flipped_byte_is_found() {
    for (sample, bytes) in keyed_samples() {
        for at in (0..bytes.len()).step_by(61).chain(0..1100) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let opened = ProvingKey::from_bytes(&damaged);
            let found = opened.and_then(|key| key.verify_digests());
            assert!(is_format_error(&found), "byte {at} of {}", sample.shape.system.name());
        }
    }
}

#[test]
fn proving_with_a_damaged_key_blames_the_key() {
    for (sample, bytes) in keyed_samples() {
        let mut damaged = bytes.clone();
        let last = damaged.len() - 40;
        damaged[last] ^= 4;
        let key = ProvingKey::from_bytes(&damaged).expect("header is intact");
        let result = sample.prove(&key).map(|_| ());
        assert!(matches!(&result, Err(Error::KeyFormat(text)) if text.contains("HPoints")), "{result:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Headers with valid digests but any contents lead to errors, never to panics or large allocations.
    #[test]
    fn forged_headers(which in 0usize..2, edits in prop::collection::vec((12usize..1024, any::<u8>()), 1..4)) {
        let (sample, bytes) = &keyed_samples()[which];
        let mut forged = bytes.clone();
        for (at, value) in edits {
            forged[at] = value;
        }
        reseal(&mut forged);
        if forged != *bytes {
            let _ = try_all(sample, &forged);
        }
    }

    /// The same with whole 64-bit fields of the header replaced.
    #[test]
    fn forged_counts(which in 0usize..2, field in 6usize..128, value in prop_oneof![any::<u64>(), 0u64..64, Just(u64::MAX)]) {
        let (sample, bytes) = &keyed_samples()[which];
        let mut forged = bytes.clone();
        forged[8 * field..8 * field + 8].copy_from_slice(&value.to_le_bytes());
        reseal(&mut forged);
        let result = ProvingKey::from_bytes(&forged);
        if let Ok(key) = result {
            let _ = sample.prove(&key);
        }
    }

    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(ProvingKey::from_bytes(&bytes).is_err());
    }
}

#[test]
fn index_lists_out_of_range_are_refused() {
    let (sample, bytes) = &keyed_samples()[0];
    let key = ProvingKey::from_bytes(bytes).expect("good key");
    let needle: Vec<u8> = key
        .indices(zkchain_core::key::Section::AIndex)
        .expect("section")
        .iter()
        .flat_map(|j| j.to_le_bytes())
        .collect();
    let at = bytes.windows(needle.len()).position(|w| w == needle).expect("the section is in the file");
    let mut damaged = bytes.clone();
    damaged[at + 3] = 0x7f;
    let key = ProvingKey::from_bytes(&damaged).expect("header is intact");
    let values = sample.values(sample.wires.clone());
    let result = key.prove(&values.borrow(), None, &sample.instance(), &[0; 32], &Silent);
    assert!(matches!(result, Err(Error::KeyFormat(_))));
}
