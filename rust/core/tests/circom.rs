//! Files of snarkjs: its keys prove, its powers of tau make keys, and everything else is refused.

mod common;

use ark_ff::Field;
use common::{fixture, Sequence};
use zkchain_core::circom::ptau::{Family, Ptau};
use zkchain_core::circom::ptau_setup::setup_r1cs;
use zkchain_core::circom::r1cs::R1cs;
use zkchain_core::circom::r1cs_prover::R1csProver;
use zkchain_core::circom::subgroup::all_in_subgroup;
use zkchain_core::circom::wtns;
use zkchain_core::circom::zkey::Zkey;
use zkchain_core::kernel::curve::{Curve, G1Affine, G2Affine, G1, G2};
use zkchain_core::kernel::field::{fr_from_i64, Fp, Fp2, Fr};
use zkchain_core::key::ProvingKey;
use zkchain_core::monitor::Silent;
use zkchain_core::prove::Assignment;
use zkchain_core::verify::{verify, Proof};
use zkchain_core::{Error, Result};

const NO_CTX: [u8; 32] = [0; 32];

/// Where the content of a section lies.
fn section(file: &[u8], id: u32) -> std::ops::Range<usize> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let mut at = 12;
    loop {
        let size = u64::from_le_bytes(file[at + 4..at + 12].try_into().expect("eight bytes")) as usize;
        if word(at) == id {
            return at + 12..at + 12 + size;
        }
        at += 12 + size;
    }
}

/// The file with another content of one section.
fn with_section(file: &[u8], id: u32, content: &[u8]) -> Vec<u8> {
    let range = section(file, id);
    let size = (content.len() as u64).to_le_bytes();
    [&file[..range.start - 8], &size, content, &file[range.end..]].concat()
}

fn edited(file: &[u8], id: u32, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut content = file[section(file, id)].to_vec();
    edit(&mut content);
    with_section(file, id, &content)
}

fn open(bytes: Vec<u8>) -> Result<Zkey> {
    Zkey::from_bytes(bytes)
}

fn witness() -> Vec<Fr> {
    wtns::parse(&fixture("toy.wtns")).expect("witness")
}

fn is_format<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Format(_)))
}

fn is_unsafe<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::UnsafeKey(_)))
}

fn is_witness<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Witness(_)))
}

// ----------------------------------------------------------------------------------------------------------- the .zkey

#[test]
fn keys_of_snarkjs_prove() {
    let key = open(fixture("toy.zkey")).expect("key");
    key.check_points(&Silent).expect("good points");
    let wires = witness();
    let (proof, public) = key.prove(&wires, &Silent).expect("proof");
    assert_eq!(public, [1, 3, 2].map(fr_from_i64));
    verify(&key.vk, public, &proof, &NO_CTX).expect("valid");
    let other = [1, 2, 2].map(fr_from_i64);
    assert!(matches!(verify(&key.vk, &other, &proof, &NO_CTX), Err(Error::ProofInvalid)));
    let (again, _) = key.prove(&wires, &Silent).expect("proof");
    assert!(again.a != proof.a && again.b != proof.b && again.c != proof.c, "blinded afresh");
}

#[test]
fn files_are_mapped() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("toy.zkey");
    std::fs::write(&path, fixture("toy.zkey")).expect("written");
    Zkey::open(&path).expect("key").prove(&witness(), &Silent).expect("proof");
    std::fs::write(&path, b"zkey").expect("written");
    assert!(is_format(Zkey::open(&path)));
    assert!(matches!(Zkey::open(&folder.path().join("absent")), Err(Error::Io(_))));
}

#[test]
fn a_key_without_contribution_is_refused() {
    assert!(is_unsafe(open(fixture("toy_initial.zkey"))));
}

#[test]
fn coefficients_may_come_in_any_order() {
    let mut random = Sequence::new(5);
    let shuffled = edited(&fixture("toy.zkey"), 4, |content| {
        let (entries, _) = content[4..].as_chunks_mut::<44>();
        (1..entries.len()).rev().for_each(|i| entries.swap(i, random.below(i + 1)));
    });
    open(shuffled).expect("key").prove(&witness(), &Silent).expect("proof");
}

/// Entries of A and B as (matrix, row, wire), and the edit of one field of one entry.
fn with_field(entry: usize, field: usize, value: u32) -> Vec<u8> {
    edited(&fixture("toy.zkey"), 4, |content| {
        let at = 4 + 44 * entry + 4 * field;
        content[at..at + 4].copy_from_slice(&value.to_le_bytes());
    })
}

fn entry_count() -> usize {
    open(fixture("toy.zkey")).expect("key").coefficient_count()
}

#[test]
fn coefficients_out_of_range_are_refused() {
    let huge = |bytes: &mut Vec<u8>| bytes[16..48].fill(0xff);
    assert!(is_format(open(with_field(0, 0, 2))));
    assert!(is_format(open(with_field(0, 1, 32))));
    assert!(is_format(open(with_field(0, 2, 16))));
    assert!(is_format(open(edited(&fixture("toy.zkey"), 4, huge))));
}

#[test]
fn the_dummy_rows_must_be_there() {
    let last = entry_count() - 1;
    let shortened = |missing: usize| {
        edited(&fixture("toy.zkey"), 4, |content| {
            content.truncate(content.len() - 44 * missing);
            content[..4].copy_from_slice(&((last + 1 - missing) as u32).to_le_bytes());
        })
    };
    assert!((1..=4).all(|missing| is_unsafe(open(shortened(missing)))));
    assert!(is_unsafe(open(shortened(last + 1))), "no entries at all");
    assert!(is_unsafe(open(with_field(last, 0, 1))), "an entry of B in a dummy row");
    assert!(is_unsafe(open(with_field(last, 2, 2))), "one wire twice, one never");
    assert!(is_unsafe(open(with_field(0, 1, 31))), "another row behind them");
    assert!(is_unsafe(open(with_field(last - 1, 1, 19))), "two entries in the last row");
    let doubled = |content: &mut Vec<u8>| {
        let end = content.len();
        content[end - 32] ^= 1;
    };
    assert!(is_unsafe(open(edited(&fixture("toy.zkey"), 4, doubled))), "another coefficient than one");
}

#[test]
fn sizes_must_fit_the_header() {
    let good = fixture("toy.zkey");
    for id in 1..=9 {
        for change in [64isize, -64, 1, -1, 128, 44] {
            let resized = edited(&good, id, |content| {
                let length = content.len().saturating_add_signed(change);
                content.resize(length, 0);
            });
            assert!(open(resized).is_err(), "section {id} by {change}");
        }
        assert!(is_format(open(with_section(&good, id, &[]))), "section {id} empty");
    }
    let header =
        |word: usize, value: u32| edited(&good, 2, |c| c[word..word + 4].copy_from_slice(&value.to_le_bytes()));
    for value in [0, 3, 15, 17, 33, u32::MAX, 1 << 31] {
        assert!([72, 76, 80]
            .into_iter()
            .filter(|at| (*at, value) != (76, 3))
            .all(|at| is_format(open(header(at, value)))));
    }
    assert!(is_format(open(edited(&good, 2, |c| c[4] ^= 1))), "another base field");
    assert!(is_format(open(edited(&good, 2, |c| c[40] ^= 1))), "another scalar field");
    assert!(is_format(open(edited(&good, 1, |c| c[0] = 2))), "plonk");
    assert!((0..4).all(|length| is_format(open(with_section(&good, 4, &vec![0; length])))), "no count");
    open(with_section(&good, 10, b"whatever")).expect("contributions are not read");
}

#[test]
fn truncated_and_extended_files_are_refused() {
    let good = fixture("toy.zkey");
    assert!((0..good.len()).step_by(29).all(|end| is_format(open(good[..end].to_vec()))));
    assert!(is_format(open([good.as_slice(), &[0]].concat())));
    let twice =
        [&good[..8], &11u32.to_le_bytes(), &good[12..], &1u32.to_le_bytes(), &4u64.to_le_bytes(), &[1, 0, 0, 0]];
    assert!(is_format(open(twice.concat())), "a section twice");
}

/// Offsets of alpha1, beta1, beta2, gamma2, delta1, delta2 in the header, with their sizes.
const TRAPDOORS: [(usize, usize); 6] = [(84, 64), (148, 64), (212, 128), (340, 128), (468, 64), (532, 128)];

#[test]
fn points_of_the_header_are_checked() {
    let good = fixture("toy.zkey");
    for (at, size) in TRAPDOORS {
        assert!(is_format(open(edited(&good, 2, |c| c[at] ^= 1))), "off the curve");
        assert!(is_format(open(edited(&good, 2, |c| c[at..at + 32].fill(0xff)))), "not below p");
        assert!(is_format(open(edited(&good, 2, |c| c[at..at + size].fill(0)))), "infinity");
    }
    let swap = |from: usize, to: usize, size: usize| edited(&good, 2, |c| c.copy_within(from..from + size, to));
    assert!(is_unsafe(open(swap(340, 532, 128))), "delta2 = gamma2");
    assert!(is_unsafe(open(swap(84, 148, 64))), "beta1 is not beta");
    assert!(is_unsafe(open(swap(84, 468, 64))), "delta1 is not delta");
    let text = open(swap(148, 468, 64)).map(|_| ()).expect_err("delta1 is beta1").to_string();
    assert!(text.contains("delta1") && text.contains("published"), "{text}");
    assert!(is_format(open(edited(&good, 3, |c| c[0] ^= 1))), "IC off the curve");
    assert!(is_format(open(edited(&good, 2, |c| c[212..340].copy_from_slice(&stray_g2())))), "outside the subgroup");
}

/// A point of G2's curve outside the subgroup of order r, as it lies in a file.
fn stray_g2() -> Vec<u8> {
    bytemuck::bytes_of(&G2::store(&stray_point())).to_vec()
}

fn stray_point() -> G2Affine {
    (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fp2::new(Fp::from(x), Fp::from(1u64)), true))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .expect("most points are outside")
}

#[test]
fn points_of_the_queries_are_checked_when_used() {
    let good = fixture("toy.zkey");
    for id in 5..=9 {
        let damaged = open(edited(&good, id, |c| {
            let place = (0..c.len()).step_by(64).find(|i| c[*i..*i + 64].iter().any(|b| *b != 0)).expect("a point");
            c[place] ^= 1;
        }));
        let key = damaged.expect("the header is intact");
        assert!(is_format(key.check_points(&Silent)), "section {id}");
        let wires = witness();
        let proved = key.prove(&wires, &Silent);
        assert!(matches!(proved, Err(Error::KeyFormat(_))), "section {id}");
    }
}

#[test]
fn points_outside_the_subgroup_make_no_proof() {
    let stray = stray_g2();
    let replaced = edited(&fixture("toy.zkey"), 7, |c| {
        let places: Vec<_> = (0..c.len()).step_by(128).filter(|i| c[*i..*i + 128].iter().any(|b| *b != 0)).collect();
        places.into_iter().for_each(|i| c[i..i + 128].copy_from_slice(&stray));
    });
    let key = open(replaced).expect("the header is intact");
    assert!(is_format(key.check_points(&Silent)));
    assert!(is_witness(key.prove(&witness(), &Silent)));
}

#[test]
fn altered_points_make_no_proof() {
    let good = fixture("toy.zkey");
    for (id, size) in [(5, 64), (6, 64), (7, 128), (8, 64), (9, 64)] {
        let doubled = edited(&good, id, |c| {
            let used: Vec<_> =
                (0..c.len()).step_by(size).filter(|i| c[*i..*i + size].iter().any(|b| *b != 0)).collect();
            let [x, y] = [used[1], used[2]];
            let (first, second) = (c[x..x + size].to_vec(), c[y..y + size].to_vec());
            c[x..x + size].copy_from_slice(&second);
            c[y..y + size].copy_from_slice(&first);
        });
        let key = open(doubled).expect("points on their curves");
        assert!(is_witness(key.prove(&witness(), &Silent)), "section {id}");
    }
}

#[test]
fn bad_witnesses_make_no_proof() {
    let key = open(fixture("toy.zkey")).expect("key");
    let wires = witness();
    for j in 1..wires.len() {
        let mut altered = wires.clone();
        altered[j] += Fr::ONE;
        assert!(is_witness(key.prove(&altered, &Silent)), "wire {j}");
    }
    let mut two = wires.clone();
    two[0] = Fr::from(2u64);
    assert!(is_witness(key.prove(&two, &Silent)));
    assert!(matches!(key.prove(&wires[1..], &Silent), Err(Error::KeyMismatch(_))));
    assert!(matches!(key.prove(&[], &Silent), Err(Error::KeyMismatch(_))));
}

// ----------------------------------------------------------------------------------------------------------- the .wtns

#[test]
fn damaged_witness_files_are_refused() {
    let good = fixture("toy.wtns");
    assert!((0..good.len()).all(|end| is_format(wtns::parse(&good[..end]))));
    assert!(is_format(wtns::parse(&edited(&good, 1, |c| c[0] = 31))));
    assert!(is_format(wtns::parse(&edited(&good, 1, |c| c[5] ^= 1))), "another field");
    assert!(is_format(wtns::parse(&edited(&good, 1, |c| c[36] ^= 1))), "another count");
    assert!(is_format(wtns::parse(&edited(&good, 2, |c| c[0] = 2))), "wire 0");
    assert!(is_format(wtns::parse(&edited(&good, 2, |c| c[64..96].fill(0xff)))), "not below r");
    assert!(is_format(wtns::parse(&edited(&with_section(&good, 2, &[]), 1, |c| c[36..40].fill(0)))), "no wires");
    wtns::parse(&good).expect("the file itself is good");
}

// ----------------------------------------------------------------------------------------------------------- the .r1cs

fn read_rows(data: &[u8]) -> Result<usize> {
    let mut rows = 0;
    R1cs::parse(data)?.for_each_block(|sides| {
        rows += sides[0].count();
        Ok(())
    })?;
    Ok(rows)
}

#[test]
fn constraints_are_read() {
    let good = fixture("toy.r1cs");
    let r1cs = R1cs::parse(&good).expect("constraints");
    assert_eq!((r1cs.n_wires, r1cs.n_public, r1cs.n_rows), (16, 3, 16));
    let (wires, mut row) = (witness(), 0);
    r1cs.for_each_block(|sides| {
        let [a, b, c] = sides.map(|side| side.multiply(&wires));
        for i in 0..a.len() {
            assert_eq!(a[i] * b[i], c[i], "row {row}");
            row += 1;
        }
        Ok(())
    })
    .expect("rows");
    assert_eq!(row, 16);
}

#[test]
fn damaged_constraint_files_are_refused() {
    let good = fixture("toy.r1cs");
    assert!((0..good.len()).all(|end| is_format(read_rows(&good[..end]))));
    let header = |at: usize, value: u32| edited(&good, 1, |c| c[at..at + 4].copy_from_slice(&value.to_le_bytes()));
    for (at, value) in [(36, 2), (36, 1 << 31), (40, 99), (44, u32::MAX), (60, 15), (60, 17), (60, u32::MAX), (0, 16)] {
        assert!(is_format(read_rows(&header(at, value))), "header at {at}: {value}");
    }
    // The first linear combination: its count, then wire and coefficient of its first term.
    assert!(is_format(read_rows(&edited(&good, 2, |c| c[..4].fill(0xff)))));
    assert!(is_format(read_rows(&edited(&good, 2, |c| c[4] = 16))));
    assert!(is_format(read_rows(&edited(&good, 2, |c| c[8..40].fill(0xff)))));
    assert_eq!(read_rows(&good).expect("the file itself is good"), 16);
}

#[test]
fn a_wire_occurs_once_in_a_linear_combination() {
    let mut one = vec![0u8; 32];
    one[0] = 1;
    let term = |wire: u32| [&wire.to_le_bytes()[..], &one].concat();
    let row = |wires: &[u32]| {
        let mut bytes = (wires.len() as u32).to_le_bytes().to_vec();
        wires.iter().for_each(|wire| bytes.extend(term(*wire)));
        bytes.extend([0; 8]);
        let single = edited(&fixture("toy.r1cs"), 1, |c| c[60..64].copy_from_slice(&1u32.to_le_bytes()));
        with_section(&single, 2, &bytes)
    };
    assert_eq!(read_rows(&row(&[5, 1, 3])).expect("any order"), 1);
    assert!(is_format(read_rows(&row(&[5, 1, 5]))));
}

// ----------------------------------------------------------------------------------------------------------- the .ptau

fn powers() -> Ptau {
    Ptau::from_bytes(fixture("toy.ptau")).expect("powers")
}

/// Row values of the toy circuit.
fn toy_rows(wires: &[Fr]) -> [Vec<Fr>; 3] {
    let data = fixture("toy.r1cs");
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    let read = R1cs::parse(&data).expect("constraints").for_each_block(|sides| {
        out.iter_mut().zip(sides).for_each(|(values, side)| values.extend(side.multiply(wires)));
        Ok(())
    });
    read.expect("rows");
    out
}

fn prove(key: &ProvingKey, wires: &[Fr]) -> Result<Proof> {
    let [a, b, c] = toy_rows(wires);
    let values = Assignment { wires, a: &a, b: &b, c: &c };
    key.prove(&values, None, &wires[1..4], &NO_CTX, &Silent)
}

#[test]
fn powers_of_tau_make_keys() {
    let (data, wires) = (fixture("toy.r1cs"), witness());
    let r1cs = R1cs::parse(&data).expect("constraints");
    let key = setup_r1cs(&r1cs, &powers(), &Silent).expect("key");
    assert!(key.development);
    assert_eq!((key.shape.n_rows, key.shape.n_public, key.domain_size), (16, 3, 32));
    let proof = prove(&key, &wires).expect("proof");
    verify(&key.vk, &wires[1..4], &proof, &NO_CTX).expect("valid");
    let other = [1, 2, 2].map(fr_from_i64);
    assert!(matches!(verify(&key.vk, &other, &proof, &NO_CTX), Err(Error::ProofInvalid)));
    let again = setup_r1cs(&r1cs, &powers(), &Silent).expect("key");
    assert_ne!(again.vk.delta, key.vk.delta, "delta is drawn afresh");
    assert_eq!((again.vk.alpha, again.vk.beta, &again.vk.ic), (key.vk.alpha, key.vk.beta, &key.vk.ic));
    // The same powers under snarkjs's key: alpha, beta and IC agree.
    let theirs = open(fixture("toy.zkey")).expect("key");
    assert_eq!((theirs.vk.alpha, theirs.vk.beta, &theirs.vk.ic), (key.vk.alpha, key.vk.beta, &key.vk.ic));
}

#[test]
fn powers_serve_domains_of_their_own_size() {
    (1..=6).for_each(|log| powers().check(log, &Silent).expect("2^6 rows fit power 6"));
    assert!(matches!(powers().check(7, &Silent), Err(Error::Format(text)) if text.contains("power 7")));
    assert!(matches!(powers().check(28, &Silent), Err(Error::Format(text)) if text.contains("2^27")));
}

/// Constraints file: `rows` of (wire, coefficient) in A, B, C.
fn constraints(counts: [u32; 4], rows: &[[&[u32]; 3]]) -> Vec<u8> {
    let mut one = [0u8; 32];
    one[0] = 1;
    let mut content = Vec::new();
    for wires in rows.iter().flatten() {
        content.extend((wires.len() as u32).to_le_bytes());
        wires.iter().for_each(|wire| content.extend([&wire.to_le_bytes()[..], &one].concat()));
    }
    let file = edited(&fixture("toy.r1cs"), 1, |c| {
        counts.iter().enumerate().for_each(|(i, n)| c[36 + 4 * i..40 + 4 * i].copy_from_slice(&n.to_le_bytes()));
        c[60..64].copy_from_slice(&(rows.len() as u32).to_le_bytes());
    });
    with_section(&file, 2, &content)
}

/// Rows w_i w_i = w_(i+1), and the wires: the one, the last of them, and the others.
fn chain(length: u32) -> (Vec<u8>, Vec<Fr>) {
    let wire = |i: u32| if i == length { 1 } else { i + 2 };
    let wires: Vec<u32> = (0..=length).map(wire).collect();
    let rows: Vec<[&[u32]; 3]> = wires.windows(2).map(|pair| [&pair[..1], &pair[..1], &pair[1..]]).collect();
    let mut values = vec![Fr::ONE; length as usize + 2];
    let mut value = Fr::from(3u64);
    for i in 0..=length {
        values[wire(i) as usize] = value;
        value = value.square();
    }
    (constraints([length + 2, 1, 0, 0], &rows), values)
}

/// A fresh key for the file, and a proof under it that verifies.
fn set_up_and_prove(data: &[u8], wires: &[Fr]) -> (ProvingKey, Proof) {
    let r1cs = R1cs::parse(data).expect("constraints");
    let prover = R1csProver::new(setup_r1cs(&r1cs, &powers(), &Silent).expect("key"), &r1cs).expect("prover");
    let (proof, public) = prover.prove(wires, &Silent).expect("proof");
    verify(&prover.key.vk, public, &proof, &NO_CTX).expect("valid");
    (prover.key, proof)
}

#[test]
fn domains_may_be_as_large_as_the_powers() {
    // Dummy rows: two. 2^6 rows are full, one more is too many, one fewer and two more rows than half leave room.
    for (length, size) in [(30, 32), (31, 64), (61, 64), (62, 64)] {
        let (data, wires) = chain(length);
        let (key, proof) = set_up_and_prove(&data, &wires);
        assert_eq!(key.domain_size, size, "{length} rows");
        let other = [wires[1] + Fr::ONE];
        assert!(matches!(verify(&key.vk, &other, &proof, &NO_CTX), Err(Error::ProofInvalid)));
        for j in 1..wires.len() {
            let mut altered = wires.clone();
            altered[j] += Fr::ONE;
            let prover = R1csProver::new(
                ProvingKey::from_bytes(key.as_bytes()).expect("key"),
                &R1cs::parse(&data).expect("rows"),
            );
            let refused = prover.expect("prover").prove(&altered, &Silent);
            assert!(matches!(refused, Err(Error::Unsatisfied { .. })), "{length} rows, wire {j}");
        }
    }
    let (data, _) = chain(63);
    let refused = setup_r1cs(&R1cs::parse(&data).expect("constraints"), &powers(), &Silent);
    assert!(matches!(refused, Err(Error::Format(text)) if text.contains("power 7")));
}

#[test]
fn inputs_that_were_simplified_away() {
    // a === 15 becomes nothing: one private input is declared, no wire is left for it, and no constraint.
    let nothing = constraints([1, 0, 0, 1], &[]);
    let (key, _) = set_up_and_prove(&nothing, &[Fr::ONE]);
    assert_eq!((key.domain_size, key.shape.n_public), (2, 0));
    // An output of two inputs, one of which is left: wire 2 squared is wire 1.
    let rows: [[&[u32]; 3]; 1] = [[&[2], &[2], &[1]]];
    set_up_and_prove(&constraints([3, 1, 0, 2], &rows), &[1, 9, 3].map(fr_from_i64));
    // Public wires stay: a file without them contradicts itself.
    assert!(is_format(read_rows(&constraints([3, 1, 2, 0], &rows))));
    assert!(is_format(read_rows(&constraints([3, u32::MAX, u32::MAX, 0], &rows))));
    assert_eq!(read_rows(&constraints([3, 1, 1, u32::MAX], &rows)).expect("as many as you like"), 1);
}

#[test]
fn wires_that_nothing_uses_take_no_memory() {
    // At 24 bytes each they would take 48 GiB.
    let rows: [[&[u32]; 3]; 1] = [[&[(1 << 31) - 2], &[0], &[1]]];
    let data = constraints([(1 << 31) - 1, 1, 0, 0], &rows);
    let key = setup_r1cs(&R1cs::parse(&data).expect("constraints"), &powers(), &Silent).expect("key");
    assert_eq!((key.shape.n_wires, key.domain_size), ((1 << 31) - 1, 4));
    assert!(key.as_bytes().len() < 1 << 14);
    let prover = R1csProver::new(key, &R1cs::parse(&data).expect("constraints")).expect("prover");
    assert!(matches!(prover.prove(&[Fr::ONE; 3], &Silent), Err(Error::KeyMismatch(_))));
    // Public wires each take a row, and are refused before anything is made of them.
    let public = constraints([(1 << 31) - 1, (1 << 31) - 2, 0, 0], &rows);
    assert!(is_format(setup_r1cs(&R1cs::parse(&public).expect("constraints"), &powers(), &Silent)));
}

#[test]
fn custom_gates_are_refused_unless_there_are_none() {
    let good = fixture("toy.r1cs");
    let with_gates = |id: u32, content: &[u8]| {
        let size = (content.len() as u64).to_le_bytes();
        [&good[..8], &4u32.to_le_bytes(), &good[12..], &id.to_le_bytes(), &size, content].concat()
    };
    for id in [4, 5] {
        assert_eq!(read_rows(&with_gates(id, &[])).expect("empty"), 16);
        assert_eq!(read_rows(&with_gates(id, &[0; 4])).expect("none"), 16);
        for content in [&[1, 0, 0, 0][..], &[0, 0, 0, 0, 0], &[0], &[0, 0, 0, 1, b'g', 0, 0, 0, 0, 0]] {
            let refused = read_rows(&with_gates(id, content));
            assert!(matches!(refused, Err(Error::Format(text)) if text.contains("custom gates")), "{content:?}");
        }
    }
}

#[test]
fn altered_truncated_bases_are_found() {
    let good = fixture("toy.ptau");
    let check = |bytes: Vec<u8>| Ptau::from_bytes(bytes)?.check(6, &Silent);
    check(good.clone()).expect("the file itself is good");
    let copied = |id: u32, from: usize, to: usize, size: usize| {
        check(edited(&good, id, |c| c.copy_within(from * size..(from + 1) * size, to * size)))
    };
    // Bases of sizes 1 .. 64 come before the truncated one, of sizes 1 .. 32 before the others.
    for (id, size, first) in [(12, 64, 127), (12, 64, 63), (13, 128, 63), (14, 64, 63), (15, 64, 63)] {
        assert!(is_format(copied(id, first + 5, first + 6, size)), "basis {id}");
    }
    assert!(is_format(copied(12, 127, 127 + 127, 64)), "the last point");
    assert!(is_format(copied(2, 125, 126, 64)), "the last power");
}

#[test]
fn altered_powers_are_found() {
    let good = fixture("toy.ptau");
    let check = |bytes: Vec<u8>| Ptau::from_bytes(bytes)?.check(5, &Silent);
    check(good.clone()).expect("the file itself is good");
    let copied = |id: u32, from: usize, to: usize, size: usize| {
        check(edited(&good, id, |c| c.copy_within(from * size..(from + 1) * size, to * size)))
    };
    let lagrange = 31; // bases of sizes 1 .. 16 come first
    for (id, size) in [(2, 64), (3, 128), (4, 64), (5, 64)] {
        assert!(is_format(copied(id, 5, 6, size)), "powers {id}");
        assert!(is_format(copied(id, 1, 0, size)), "origin {id}");
    }
    for (id, size) in [(12, 64), (13, 128), (14, 64), (15, 64)] {
        assert!(is_format(copied(id, lagrange + 5, lagrange + 6, size)), "basis {id}");
    }
    assert!(is_format(copied(12, 63 + 9, 63 + 10, 64)), "basis of the double domain");
    assert!(is_format(check(edited(&good, 6, |c| c.copy_from_slice(&good[section(&good, 3)][128..256])))), "beta2");
    for id in [2, 3, 4, 5, 12, 13, 14, 15] {
        let first = if id < 12 { 0 } else { 64 * lagrange * (1 + usize::from(id == 13)) };
        assert!(is_format(check(edited(&good, id, |c| c[first] ^= 1))), "off the curve {id}");
        assert!(is_format(check(edited(&good, id, |c| c[first..first + 128].fill(0)))), "infinity {id}");
    }
    // All powers of alpha times the same factor two: one tau still, but not the alpha of the Lagrange basis.
    let doubled = edited(&good, 4, |c| {
        let (points, _) = c.as_chunks_mut::<64>();
        for point in points {
            let stored = bytemuck::pod_read_unaligned(point.as_slice());
            let twice: G1Affine = (G1::load(&stored) + G1::load(&stored)).into();
            point.copy_from_slice(bytemuck::bytes_of(&G1::store(&twice)));
        }
    });
    assert!(is_format(check(doubled)));
}

#[test]
fn strays_among_the_powers_are_found() {
    let good = fixture("toy.ptau");
    let stray = stray_g2();
    for (id, place) in [(3, 7), (3, 1), (6, 0), (13, 33)] {
        let bytes = edited(&good, id, |c| c[128 * place..128 * (place + 1)].copy_from_slice(&stray));
        assert!(
            is_format(Ptau::from_bytes(bytes).expect("sizes fit").check(5, &Silent)),
            "section {id}, point {place}"
        );
    }
    let file = powers();
    let points = file.lagrange::<G2>(Family::TauG2, 5).expect("basis").to_vec();
    assert!(all_in_subgroup(&points, &Silent).expect("not cancelled"));
    let mut with_stray = points.clone();
    with_stray[20] = G2::store(&stray_point());
    assert!(!all_in_subgroup(&with_stray, &Silent).expect("not cancelled"));
    assert!(all_in_subgroup(&[], &Silent).expect("not cancelled"));
}

#[test]
fn damaged_powers_files_are_refused() {
    let good = fixture("toy.ptau");
    let parse = |bytes: &[u8]| Ptau::from_bytes(bytes.to_vec()).map(|_| ());
    assert!((0..good.len()).step_by(509).all(|end| is_format(parse(&good[..end]))));
    for power in [0, 5, 7, 28, 29, 64, u32::MAX] {
        let other = edited(&good, 1, |c| c[36..40].copy_from_slice(&power.to_le_bytes()));
        assert!(is_format(parse(&other)), "power {power}");
    }
    assert!(is_format(parse(&edited(&good, 1, |c| c[4] ^= 1))), "another curve");
    let start = section(&good, 12).start - 12;
    let unprepared = [&good[..8], &7u32.to_le_bytes(), &good[12..start]].concat();
    assert!(matches!(parse(&unprepared), Err(Error::Format(text)) if text.contains("prepare")));
}

#[test]
fn wrong_row_counts_are_refused() {
    use zkchain_core::circom::ptau_setup::PtauSetup;
    let (data, file) = (fixture("toy.r1cs"), powers());
    let r1cs = R1cs::parse(&data).expect("constraints");
    let fresh = || PtauSetup::new(&file, r1cs.shape(), &Silent).expect("setup");
    assert!(matches!(fresh().finish(&Silent), Err(Error::Argument(_))));
    let mut twice = fresh();
    r1cs.for_each_block(|rows| twice.add_rows(rows)).expect("first");
    assert!(r1cs.for_each_block(|rows| twice.add_rows(rows)).is_err());
}
