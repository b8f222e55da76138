//! What is done with untrusted bytes of each kind: everything that a reader of such a file would do. Nothing may panic.
//!
//! Used by the mutation tests and by the fuzz targets.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field};
use zkchain_core::circom::ptau::Ptau;
use zkchain_core::circom::ptau_setup::setup_r1cs;
use zkchain_core::circom::r1cs::R1cs;
use zkchain_core::circom::wtns;
use zkchain_core::circom::zkey::Zkey;
use zkchain_core::kernel::field::Fr;
use zkchain_core::key::ProvingKey;
use zkchain_core::monitor::Silent;
use zkchain_core::prove::Assignment;
use zkchain_core::system::System;
use zkchain_core::verify::{verify, Proof, VerifyingKey};

/// Keys with larger circuits are opened, not proved with.
const MOST: usize = 1 << 9;

/// What a reader may do with one kind of file.
pub type Exercise = fn(&[u8]);

pub struct Target {
    pub name: &'static str,
    /// Reading alone.
    pub parse: Exercise,
    /// Reading and all that follows.
    pub run: Exercise,
}

pub const ALL: [Target; 6] = [
    Target { name: "key", parse: |data| drop(ProvingKey::from_bytes(data)), run: key },
    Target { name: "zkey", parse: |data| drop(Zkey::from_bytes(data.to_vec())), run: zkey },
    Target { name: "wtns", parse: wtns_file, run: wtns_file },
    Target { name: "r1cs", parse: rows, run: r1cs },
    Target { name: "ptau", parse: |data| drop(Ptau::from_bytes(data.to_vec())), run: ptau },
    Target { name: "proof", parse: proof, run: proof },
];

fn one_then_zeros(count: usize) -> Vec<Fr> {
    let mut wires = vec![Fr::ZERO; count];
    wires[0] = Fr::ONE;
    wires
}

/// The key as it is, and with a header digest that fits.
pub fn key(data: &[u8]) {
    open_key(data);
    let mut resealed = data.to_vec();
    if resealed.len() >= TABLE_END {
        reseal(&mut resealed);
        open_key(&resealed);
    }
}

/// Where the section table of a key ends.
const TABLE_END: usize = 1024;

/// Makes the header digest of a key again, as an attacker would who has changed header or section table.
pub fn reseal(key: &mut [u8]) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key[..128]).update(&key[192..TABLE_END]);
    let digest = *hasher.finalize().as_bytes();
    key[128..160].copy_from_slice(&digest);
}

fn open_key(data: &[u8]) {
    let Ok(key) = ProvingKey::from_bytes(data) else { return };
    let _ = key.verify_digests();
    if key.domain_size > MOST || key.shape.n_wires > MOST || key.shape.system != System::Groth16 {
        return;
    }
    let wires = one_then_zeros(key.shape.n_wires);
    let zeros = vec![Fr::ZERO; key.shape.n_rows];
    let assignment = Assignment { wires: &wires, a: &zeros, b: &zeros, c: &zeros };
    let instance = vec![Fr::ZERO; key.shape.instance_length];
    let _ = key.prove(&assignment, None, &instance, &[0; 32], &Silent);
}

pub fn zkey(data: &[u8]) {
    let Ok(key) = Zkey::from_bytes(data.to_vec()) else { return };
    if key.domain_size > MOST || key.n_wires > MOST {
        return;
    }
    let _ = key.check_points(&Silent);
    if let Ok((proof, public)) = key.prove(&one_then_zeros(key.n_wires), &Silent) {
        assert!(verify(&key.vk, public, &proof, &[0; 32]).is_ok());
    }
}

pub fn wtns_file(data: &[u8]) {
    if let Ok(wires) = wtns::parse(data) {
        assert!(wires[0] == Fr::ONE && 32 * wires.len() <= data.len());
    }
}

/// Rows alone.
fn rows(data: &[u8]) {
    let Ok(r1cs) = R1cs::parse(data) else { return };
    let mut rows = 0;
    let outcome = r1cs.for_each_block(|sides| {
        rows += sides[0].count();
        Ok(())
    });
    assert!(outcome.is_err() || rows == r1cs.n_rows);
    assert!(r1cs.shape().check().is_ok());
}

/// Rows, and a key made for them.
pub fn r1cs(data: &[u8]) {
    static POWERS: OnceLock<Option<Ptau>> = OnceLock::new();
    rows(data);
    let powers = POWERS
        .get_or_init(|| Ptau::from_bytes(include_bytes!("../../../../tests/fixtures/snarkjs/toy.ptau").to_vec()).ok());
    if let (Ok(r1cs), Some(powers)) = (R1cs::parse(data), powers) {
        let _ = setup_r1cs(&r1cs, powers, &Silent);
    }
}

pub fn ptau(data: &[u8]) {
    let Ok(ptau) = Ptau::from_bytes(data.to_vec()) else { return };
    if ptau.power < 8 {
        let _ = ptau.check(ptau.power - 1, &Silent);
        let _ = ptau.check(ptau.power, &Silent);
    }
}

/// Proofs and verifying keys of both systems; what is accepted has one encoding.
pub fn proof(data: &[u8]) {
    for system in [System::Groth16, System::Cg16] {
        if let Ok(proof) = Proof::from_bytes(system, data) {
            assert_eq!(proof.to_bytes(), data);
        }
        for words in [0, 1, 2, data.len() / 64] {
            if let Ok(vk) = VerifyingKey::from_bytes(system, words, [0; 32], data) {
                assert_eq!(vk.to_bytes(), data);
            }
        }
    }
}
