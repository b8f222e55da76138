//! The shared transcript vectors, byte for byte.

use serde_json::Value;
use zkchain_core::kernel::curve::decode_g1;
use zkchain_core::kernel::field::{from_be, to_be, Fr};
use zkchain_core::system::System;
use zkchain_core::transcript::{batch_multipliers, challenge, keccak, seed, Word};
use zkchain_core::verify::{Proof, VerifyingKey};

fn vectors() -> Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/spec/vectors/transcript.json"));
    serde_json::from_str(text).expect("json")
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().and_then(|t| t.strip_prefix("0x")).expect("hexadecimal");
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn word(value: &Value) -> Word {
    bytes(value).try_into().expect("32 bytes")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is a list"))
}

fn instance(value: &Value) -> Vec<Fr> {
    list(value, "instance").iter().map(|x| from_be(&word(x)).expect("below r")).collect()
}

fn system(value: &Value) -> System {
    System::from_name(value["system"].as_str().expect("a name")).expect("a system")
}

#[test]
fn domain_separators() {
    let all = vectors();
    for (system, name) in [(System::Cg16, "DOMAIN"), (System::Groth16, "DOMAIN_GROTH16")] {
        assert_eq!(keccak(&[system.labels().seed]), word(&all["constants"][name]));
    }
}

#[test]
fn key_hashes() {
    for case in list(&vectors(), "keys") {
        let n_public = case["n_public"].as_u64().expect("a count") as usize;
        let points = bytes(&case["points"]);
        let key =
            VerifyingKey::from_bytes(system(case), n_public, word(&case["circuit_hash"]), &points).expect("a key");
        assert_eq!(key.hash, word(&case["vkhash"]), "{}", case["name"]);
        assert_eq!(key.to_bytes(), points);
        let mut wrong = points.clone();
        wrong.truncate(points.len() - 64);
        assert!(VerifyingKey::from_bytes(system(case), n_public, [0; 32], &wrong).is_err());
    }
}

#[test]
fn challenges() {
    for case in list(&vectors(), "challenges") {
        let d = decode_g1(&bytes(&case["d"]), "d").expect("a point");
        let ctx = word(&case["ctx"]);
        let got = seed(System::Cg16.labels().seed, &word(&case["vkhash"]), Some((&ctx, &d)), &instance(case));
        assert_eq!(got, word(&case["seed"]), "{}", case["name"]);
        for (k, expected) in list(case, "challenges").iter().enumerate() {
            assert_eq!(to_be(&challenge(&got, k as u64)), word(expected));
        }
        let other = seed(System::Cg16.labels().seed, &word(&case["vkhash"]), Some((&[0xee; 32], &d)), &instance(case));
        assert_ne!(got, other);
    }
}

#[test]
fn batch_weights() {
    for case in list(&vectors(), "batches") {
        let (system, vk_hash) = (system(case), word(&case["vkhash"]));
        let mut items = Vec::new();
        for item in list(case, "items") {
            let proof = bytes(&item["proof"]);
            let d = Proof::from_bytes(system, &proof).expect("a proof").d;
            let ctx = word(&item["ctx"]);
            let got = seed(system.labels().seed, &vk_hash, d.as_ref().map(|d| (&ctx, d)), &instance(item));
            assert_eq!(got, word(&item["seed"]), "{}", case["name"]);
            items.extend(got);
            items.extend(&proof[..256]);
        }
        let rho = batch_multipliers(system.labels().batch, &vk_hash, &items, list(case, "items").len());
        let expected: Vec<Word> = list(case, "rho").iter().map(word).collect();
        assert_eq!(rho.iter().map(to_be).collect::<Vec<_>>(), expected, "{}", case["name"]);
    }
}
