//! Setup, prover and verifier of both systems, and everything they must refuse.

mod common;

use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field};
use common::{Sample, Values};
use zkchain_core::batch::{verify_batch, Claim};
use zkchain_core::kernel::curve::{self, Curve, G1Affine, G1, G2};
use zkchain_core::kernel::fft;
use zkchain_core::kernel::field::{fr_from_i64, Fr};
use zkchain_core::key::{ProvingKey, Section};
use zkchain_core::monitor::{Monitor, Silent};
use zkchain_core::prove::{Assignment, Commitment};
use zkchain_core::setup::{SetupBuilder, Toxic};
use zkchain_core::system::{Shape, System};
use zkchain_core::verify::{verify, Proof, VerifyingKey};
use zkchain_core::{Error, Result};

const BOTH: [System; 2] = [System::Groth16, System::Cg16];
const CTX: [u8; 32] = [9; 32];
const NO_CTX: [u8; 32] = [0; 32];

fn prepared(system: System, rows: usize) -> (Sample, ProvingKey) {
    let sample = Sample::mixed(system, rows, 500);
    let key = sample.setup().expect("setup");
    (sample, key)
}

fn prove_values(key: &ProvingKey, values: &Values, d: Option<Commitment>, x: &[Fr]) -> Result<Proof> {
    key.prove(&values.borrow(), d, x, &NO_CTX, &Silent)
}

#[test]
fn proofs_verify() {
    for system in BOTH {
        for rows in [1, 2, 5, 100, 3000] {
            let (sample, key) = prepared(system, rows);
            let proof = sample.prove(&key).expect("proof");
            verify(&key.vk, &sample.instance(), &proof, &NO_CTX).expect("valid");
            let again = Proof::from_bytes(system, &proof.to_bytes()).expect("round trip");
            verify(&key.vk, &sample.instance(), &again, &NO_CTX).expect("valid");
        }
    }
}

#[test]
fn every_altered_element_is_rejected() {
    for system in BOTH {
        let (sample, key) = prepared(system, 20);
        let (x, bytes) = (sample.instance(), sample.prove(&key).expect("proof").to_bytes());
        let fresh = || Proof::from_bytes(system, &bytes).expect("round trip");
        let other = sample.prove(&key).expect("proof");
        let mut altered = vec![fresh(), fresh(), fresh(), fresh(), fresh()];
        altered[0].a = -altered[0].a;
        altered[1].b = other.b;
        altered[2].c = G1Affine::generator();
        altered[3].a = altered[3].c;
        altered[4].c = G1Affine::zero();
        if system == System::Cg16 {
            altered.push(Proof { d: other.d, ..fresh() });
            altered.push(Proof { d: fresh().d.map(|d| -d), ..fresh() });
            altered.push(Proof { d: Some(G1Affine::zero()), ..fresh() });
        }
        for proof in altered {
            assert!(matches!(verify(&key.vk, &x, &proof, &NO_CTX), Err(Error::ProofInvalid)));
        }
        let wrong = [fr_from_i64(8)];
        assert!(matches!(verify(&key.vk, &wrong, &fresh(), &NO_CTX), Err(Error::ProofInvalid)));
        assert!(matches!(verify(&key.vk, &[], &fresh(), &NO_CTX), Err(Error::ProofFormat(_))));
        let stranger = Sample::mixed(system, 20, 500).setup().expect("setup");
        assert!(matches!(verify(&stranger.vk, &x, &fresh(), &NO_CTX), Err(Error::ProofInvalid)));
    }
}

#[test]
fn context_binds_a_cg16_proof() {
    let (sample, key) = prepared(System::Cg16, 20);
    let (commitment, values) = sample.complete(&key, &CTX).expect("challenge");
    let x = sample.instance();
    let proof = key.prove(&values.borrow(), commitment, &x, &CTX, &Silent).expect("proof");
    verify(&key.vk, &x, &proof, &CTX).expect("valid");
    assert!(matches!(verify(&key.vk, &x, &proof, &NO_CTX), Err(Error::ProofInvalid)));
}

#[test]
fn malformed_proof_bytes_are_refused() {
    for system in BOTH {
        let (sample, key) = prepared(system, 4);
        let good = sample.prove(&key).expect("proof").to_bytes();
        let refused = |bytes: &[u8]| matches!(Proof::from_bytes(system, bytes), Err(Error::ProofFormat(_)));
        assert!(refused(&good[..good.len() - 1]) && refused(&[]));
        for word in 0..good.len() / 32 {
            let mut bytes = good.clone();
            bytes[32 * word..32 * word + 32].fill(0xff);
            assert!(refused(&bytes), "word {word} past p");
            let mut bytes = good.clone();
            bytes[32 * word + 31] ^= 1;
            assert!(refused(&bytes), "word {word} off the curve");
        }
    }
}

#[test]
fn the_prover_refuses_bad_witnesses() {
    for system in BOTH {
        let (sample, key) = prepared(system, 50);
        let x = sample.instance();
        let attempt = |alter: &dyn Fn(&mut Values)| {
            let (commitment, mut values) = sample.complete(&key, &NO_CTX).expect("challenge");
            alter(&mut values);
            prove_values(&key, &values, commitment, &x).map(|_| ())
        };
        assert!(matches!(attempt(&|v| v.c[17] += Fr::ONE), Err(Error::Unsatisfied { row: 17 })));
        let two = |v: &mut Values| {
            v.a[40] += Fr::ONE;
            v.c[31] += Fr::ONE;
        };
        assert!(matches!(attempt(&two), Err(Error::Unsatisfied { row: 31 })));
        assert!(matches!(attempt(&|v| v.wires[0] = Fr::ZERO), Err(Error::Witness(_))));
        assert!(matches!(attempt(&|v| v.wires.truncate(5)), Err(Error::KeyMismatch(_))));
        assert!(matches!(attempt(&|v| v.b.push(Fr::ONE)), Err(Error::KeyMismatch(_))));
        assert!(matches!(attempt(&|v| v.wires[1] += Fr::ONE), Err(Error::KeyMismatch(_))));
        let last = sample.shape.n_wires - 1;
        assert!(matches!(attempt(&|v| v.wires[last] += Fr::ONE), Err(Error::Witness(_))));
        let committed = sample.shape.first_committed();
        let broken = attempt(&|v| v.wires[committed] += Fr::ONE);
        match system {
            System::Groth16 => assert!(matches!(broken, Err(Error::Witness(_)))),
            System::Cg16 => assert!(matches!(broken, Err(Error::KeyMismatch(_)))),
        }
        attempt(&|_| ()).expect("the witness itself is good");
    }
}

#[test]
fn commitments_belong_to_cg16_and_to_their_key() {
    let (plain, plain_key) = prepared(System::Groth16, 5);
    let (sample, key) = prepared(System::Cg16, 5);
    let wires = std::sync::Arc::new(vec![Fr::ONE; sample.shape.n_committed]);
    assert!(matches!(plain_key.commit(wires.clone(), &Silent), Err(Error::KeyMismatch(_))));
    let short = std::sync::Arc::new(wires[1..].to_vec());
    assert!(matches!(key.commit(short, &Silent), Err(Error::Argument(_))));
    let (commitment, values) = sample.complete(&key, &NO_CTX).expect("challenge");
    let x = sample.instance();
    assert!(matches!(prove_values(&key, &values, None, &x), Err(Error::KeyMismatch(_))));
    let other = sample.setup().expect("setup");
    assert!(matches!(prove_values(&other, &values, commitment, &x), Err(Error::KeyMismatch(_))));
    let (commitment, _) = sample.complete(&key, &NO_CTX).expect("challenge");
    let values = plain.values(plain.wires.clone());
    assert!(matches!(prove_values(&plain_key, &values, commitment, &plain.instance()), Err(Error::KeyMismatch(_))));
}

#[test]
fn commitments_hide() {
    let (sample, key) = prepared(System::Cg16, 5);
    let commit = || sample.complete(&key, &NO_CTX).expect("challenge").0.expect("cg16").d;
    assert_ne!(commit(), commit());
}

/// Rows w_j (w_j - w_(j+1) + 1) = w_j, which hold when all wires are equal: zeros, ones, -1, a full-size value.
fn uniform_witnesses(rows: usize) {
    let mut sample = Sample::mixed(System::Groth16, 1, 0);
    let first = sample.wires.len();
    for j in first..first + rows {
        let next = if j + 1 < first + rows { j + 1 } else { first };
        sample.a.push(&[(j, 1)]);
        sample.b.push(&[(0, 1), (j, 1), (next, -1)]);
        sample.c.push(&[(j, 1)]);
    }
    sample.shape.n_rows += rows;
    sample.shape.n_wires += rows;
    let key = sample.setup().expect("setup");
    for value in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(3u64).inverse().expect("3 != 0")] {
        let mut wires = sample.wires.clone();
        wires.resize(first + rows, value);
        let proof = prove_values(&key, &sample.values(wires), None, &sample.instance()).expect("proof");
        verify(&key.vk, &sample.instance(), &proof, &NO_CTX).expect("valid");
    }
}

#[test]
fn two_thousand_equal_values() {
    uniform_witnesses(2000);
}

#[test]
#[ignore = "a minute: `cargo test --release -- --include-ignored`, as make rust-check does"]
fn a_million_equal_values() {
    uniform_witnesses(1_000_000);
}

fn known_toxic() -> Toxic {
    let [alpha, beta, tau, delta, eta] = [3u64, 5, 7, 11, 13].map(Fr::from);
    Toxic { alpha, beta, tau, delta, eta }
}

/// The key of a small system from known trapdoors, point by point from the formulas of the protocol.
#[test]
fn setup_follows_the_formulas() {
    for system in BOTH {
        let sample = Sample::mixed(system, 6, 500);
        let key = sample.fill(SetupBuilder::with_toxic(sample.shape, known_toxic()).expect("shape")).expect("setup");
        let t = known_toxic();
        let (n, shape) = (key.domain_size, sample.shape);
        let lagrange = fft::lagrange_at(t.tau, Fr::ONE, n, 0, n).expect("off domain");
        let column = |m: &common::Csr, j: usize| {
            (0..shape.n_rows).fold(Fr::ZERO, |sum, i| {
                let row = m.indptr[i] as usize..m.indptr[i + 1] as usize;
                let hits = row.filter(|k| m.cols[*k] as usize == j);
                hits.fold(sum, |sum, k| sum + lagrange[i] * fr_from_i64(m.vals[k]))
            })
        };
        // The dummy rows wire_j * 0 = 0 of the one and each public wire.
        let dummy = |j: usize| if j <= shape.n_public { lagrange[shape.n_rows + j] } else { Fr::ZERO };
        let u = |j| column(&sample.a, j) + dummy(j);
        let (v, w) = (|j| column(&sample.b, j), |j| column(&sample.c, j));
        let k = |j| t.beta * u(j) + t.alpha * v(j) + w(j);
        let slope = (t.tau.pow([n as u64]) - Fr::ONE) / (-Fr::from(2u64) * t.delta);
        let k_scalar = |j: usize| if j < shape.first_private() { -w(j) * slope } else { k(j) / t.delta - w(j) * slope };
        type Query<'a> = (Section, Section, &'a dyn Fn(usize) -> Fr);
        let queries: [Query<'_>; 4] = [
            (Section::AIndex, Section::APoints, &u),
            (Section::BIndex, Section::B1Points, &v),
            (Section::KIndex, Section::KPoints, &k_scalar),
            (Section::CommittedIndex, Section::CommittedPoints, &|j| k(j) / t.eta),
        ];
        for (index, points, scalar) in queries {
            let range = match index {
                Section::CommittedIndex => shape.first_committed()..shape.first_private(),
                _ => 0..shape.n_wires,
            };
            let present: Vec<u32> = range.filter(|j| scalar(*j) != Fr::ZERO).map(|j| j as u32).collect();
            assert_eq!(key.indices(index).expect("section"), present, "{index:?}");
            for (j, point) in present.iter().zip(key.g1(points).expect("section")) {
                assert_eq!(G1::load(point), curve::mul::<G1>(&G1Affine::generator(), &scalar(*j as usize)));
            }
        }
        for (j, point) in
            key.indices(Section::BIndex).expect("section").iter().zip(key.g2(Section::B2Points).expect("section"))
        {
            assert_eq!(G2::load(point), curve::mul::<G2>(&curve::G2Affine::generator(), &v(*j as usize)));
        }
        for (j, point) in key.vk.ic.iter().enumerate() {
            assert_eq!(*point, curve::mul::<G1>(&G1Affine::generator(), &k(j)));
        }
        let shift = fft::root_of_unity(2 * n).expect("root");
        let coset = fft::lagrange_at(t.tau, shift, n, 0, n).expect("off domain");
        for (l, point) in coset.iter().zip(key.g1(Section::HPoints).expect("section")) {
            assert_eq!(G1::load(point), curve::mul::<G1>(&G1Affine::generator(), &(*l * slope)));
        }
    }
}

/// A public wire that no row uses is still bound, by its dummy row alone.
#[test]
fn unused_public_wires_are_bound() {
    let mut sample = Sample::mixed(System::Groth16, 3, 500);
    sample.a = common::Csr::new();
    sample.b = common::Csr::new();
    sample.c = common::Csr::new();
    for j in 2..5 {
        sample.a.push(&[(j, 1)]);
        sample.b.push(&[(0, 1)]);
        sample.c.push(&[(j, 1)]);
    }
    sample.shape.n_rows = 3;
    let key = sample.setup().expect("setup");
    let proof = sample.prove(&key).expect("proof");
    assert!(matches!(verify(&key.vk, &[fr_from_i64(8)], &proof, &NO_CTX), Err(Error::ProofInvalid)));
}

#[test]
fn setup_refuses_contradicting_shapes() {
    let good = Sample::mixed(System::Cg16, 5, 500).shape;
    let bad = [
        Shape { n_public: 3, ..good },
        Shape { instance_length: 0, ..good },
        Shape { n_committed: good.n_wires, ..good },
        Shape { n_committed: usize::MAX, ..good },
        Shape { system: System::Groth16, ..good },
        Shape { system: System::Groth16, n_public: 1, ..good },
        Shape { n_wires: 1 << 31, ..good },
        Shape { n_rows: 1 << 28, ..good },
    ];
    assert!(bad.iter().all(|shape| matches!(SetupBuilder::new(*shape), Err(Error::Argument(_)))));
    SetupBuilder::new(good).expect("the shape itself is good");
}

#[test]
fn setup_refuses_wrong_row_counts() {
    let sample = Sample::mixed(System::Groth16, 5, 500);
    let width = sample.shape.n_wires;
    let rows = || [sample.a.rows(width), sample.b.rows(width), sample.c.rows(width)].map(|r| r.expect("rows"));
    let empty = SetupBuilder::new(sample.shape).expect("shape");
    assert!(matches!(empty.finish(None, &Silent), Err(Error::Argument(_))));
    let mut twice = SetupBuilder::new(sample.shape).expect("shape");
    twice.add_rows(rows()).expect("first");
    assert!(matches!(twice.add_rows(rows()), Err(Error::Argument(_))));
    let short = common::Csr::new();
    let mut ragged = SetupBuilder::new(sample.shape).expect("shape");
    let [a, b, _] = rows();
    assert!(matches!(ragged.add_rows([a, b, short.rows(width).expect("rows")]), Err(Error::Argument(_))));
}

#[test]
fn unsafe_verifying_keys_are_refused() {
    let (_, key) = prepared(System::Cg16, 3);
    let parse = |vk: &VerifyingKey| VerifyingKey::from_bytes(vk.system, 1, vk.circuit_hash, &vk.to_bytes()).map(|_| ());
    let with = |alter: &dyn Fn(&mut VerifyingKey)| {
        let mut vk = VerifyingKey::from_bytes(System::Cg16, 1, key.vk.circuit_hash, &key.vk.to_bytes()).expect("good");
        alter(&mut vk);
        parse(&vk)
    };
    let refused: [&dyn Fn(&mut VerifyingKey); 13] = [
        &|vk| vk.delta = vk.gamma,
        &|vk| vk.delta = -vk.gamma,
        &|vk| vk.eta = Some(vk.delta),
        &|vk| vk.eta = Some(-vk.gamma),
        &|vk| vk.eta = Some(curve::G2Affine::zero()),
        &|vk| vk.alpha = G1Affine::zero(),
        &|vk| vk.beta = curve::G2Affine::zero(),
        &|vk| (vk.gamma, vk.delta) = (vk.beta, curve::G2Affine::generator()),
        &|vk| (vk.gamma, vk.eta) = (vk.beta, Some(-curve::G2Affine::generator())),
        &|vk| vk.ic[0] = G1Affine::zero(),
        &|vk| vk.ic[2] = G1Affine::zero(),
        &|vk| vk.ic[1] = vk.ic[0],
        &|vk| vk.ic[1] = -vk.ic[2],
    ];
    assert!(refused.iter().all(|alter| matches!(with(alter), Err(Error::UnsafeKey(_)))));
    assert!(matches!(with(&|vk| vk.ic.truncate(2)), Err(Error::KeyFormat(_))));
    with(&|_| ()).expect("the key itself is good");
}

#[test]
fn batches_name_the_bad_proofs() {
    for system in BOTH {
        let (sample, key) = prepared(system, 10);
        let claim = |bad: bool| {
            let proof = sample.prove(&key).expect("proof");
            Claim { instance: vec![fr_from_i64(if bad { 8 } else { 7 })], proof, ctx: NO_CTX }
        };
        let batch = |bad: &[usize]| -> Vec<Claim> { (0..7).map(|i| claim(bad.contains(&i))).collect() };
        verify_batch(&key.vk, &batch(&[]), &Silent).expect("all good");
        verify_batch(&key.vk, &[], &Silent).expect("nothing to verify");
        for bad in [vec![0], vec![6], vec![2, 3, 5]] {
            match verify_batch(&key.vk, &batch(&bad), &Silent) {
                Err(Error::BatchInvalid { bad: found, total: 7 }) => assert_eq!(found, bad),
                other => panic!("expected the bad proofs, got {other:?}"),
            }
        }
        let short = Claim { instance: vec![], ..claim(false) };
        assert!(matches!(verify_batch(&key.vk, &[short], &Silent), Err(Error::ProofFormat(_))));
    }
}

/// Says stop after some reports.
struct Patience(std::sync::atomic::AtomicI64);

impl Monitor for Patience {
    fn report(&self, _stage: &'static str, _fraction: f64) {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) < 0
    }
}

#[test]
fn setup_and_prover_can_be_cancelled() {
    let (sample, key) = prepared(System::Groth16, 100);
    let values = sample.values(sample.wires.clone());
    for patience in [-1, 0, 3] {
        let monitor = Patience(patience.into());
        let assignment: Assignment<'_> = values.borrow();
        let result = key.prove(&assignment, None, &sample.instance(), &NO_CTX, &monitor);
        assert!(matches!(result, Err(Error::Cancelled)));
        let width = sample.shape.n_wires;
        let mut builder = SetupBuilder::new(sample.shape).expect("shape");
        let rows = [sample.a.rows(width), sample.b.rows(width), sample.c.rows(width)].map(|r| r.expect("rows"));
        builder.add_rows(rows).expect("rows");
        assert!(matches!(builder.finish(None, &Patience(patience.into())), Err(Error::Cancelled)));
    }
}
