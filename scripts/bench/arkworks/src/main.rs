//! arkworks' Groth16 on files that scripts/bench wrote (trusted: nothing is checked).
//!
//!     bench setup CIRCUIT.r1cs KEY          bench prove KEY CIRCUIT.r1cs WITNESS.wtns RUNS
//!
//! Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of reading the key.

use std::fs;
use std::io::{BufWriter, Write};
use std::time::Instant;

use ark_bn254::{Bn254, Fr};
use ark_ff::{PrimeField, UniformRand};
use ark_groth16::{Groth16, ProvingKey};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, Matrix, SynthesisError, Variable,
};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use ark_snark::SNARK;

type Prover = Groth16<Bn254>;

struct Circuit {
    n_wires: usize,
    n_public: usize,
    rows: [Matrix<Fr>; 3],
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn u32(&mut self) -> usize {
        u32::from_le_bytes(self.take(4).try_into().unwrap()) as usize
    }

    fn fr(&mut self) -> Fr {
        Fr::from_le_bytes_mod_order(self.take(32))
    }
}

/// The content of a section of iden3's container.
fn section(file: &[u8], wanted: usize) -> Bytes<'_> {
    let mut bytes = Bytes(&file[12..]);
    loop {
        let id = bytes.u32();
        let size = u64::from_le_bytes(bytes.take(8).try_into().unwrap()) as usize;
        let content = bytes.take(size);
        if id == wanted {
            return Bytes(content);
        }
    }
}

fn read_circuit(path: &str) -> Circuit {
    let file = fs::read(path).unwrap();
    let mut head = section(&file, 1);
    head.take(36);
    let [n_wires, outputs, inputs] = [head.u32(), head.u32(), head.u32()];
    head.take(12);
    let n_rows = head.u32();
    let mut body = section(&file, 2);
    let mut rows = [const { Vec::new() }; 3];
    for _ in 0..n_rows {
        for side in &mut rows {
            let terms = body.u32();
            side.push((0..terms).map(|_| (body.u32(), body.fr())).map(|(wire, value)| (value, wire)).collect());
        }
    }
    Circuit { n_wires, n_public: outputs + inputs, rows }
}

fn read_witness(path: &str) -> Vec<Fr> {
    let file = fs::read(path).unwrap();
    section(&file, 2).0.chunks_exact(32).map(Fr::from_le_bytes_mod_order).collect()
}

impl ConstraintSynthesizer<Fr> for &Circuit {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let mut wires = vec![Variable::One];
        for j in 1..self.n_wires {
            let value = || Ok(Fr::from(1u64));
            wires.push(if j <= self.n_public {
                cs.new_input_variable(value)?
            } else {
                cs.new_witness_variable(value)?
            });
        }
        let combine =
            |row: &[(Fr, usize)]| LinearCombination(row.iter().map(|(value, wire)| (*value, wires[*wire])).collect());
        let [a, b, c] = &self.rows;
        for ((a, b), c) in a.iter().zip(b).zip(c) {
            cs.enforce_r1cs_constraint(|| combine(a), || combine(b), || combine(c))?;
        }
        Ok(())
    }
}

fn setup(circuit: &str, key: &str) {
    let pk =
        Prover::generate_random_parameters_with_reduction(&read_circuit(circuit), &mut rand::thread_rng()).unwrap();
    let mut file = BufWriter::new(fs::File::create(key).unwrap());
    pk.serialize_uncompressed(&mut file).unwrap();
    file.flush().unwrap();
}

fn cpu_seconds() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct that it is given.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn prove(key: &str, circuit: &str, witness: &str, runs: usize) {
    let circuit = read_circuit(circuit);
    let wires = read_witness(witness);
    let start = Instant::now();
    let pk = ProvingKey::<Bn254>::deserialize_uncompressed_unchecked(&fs::read(key).unwrap()[..]).unwrap();
    let load = start.elapsed().as_secs_f64();
    let vk = Prover::process_vk(&pk.vk).unwrap();
    let (mut seconds, mut cpu) = (Vec::new(), Vec::new());
    let inputs = 1 + circuit.n_public;
    for _ in 0..runs {
        let (start, before) = (Instant::now(), cpu_seconds());
        let rng = &mut rand::thread_rng();
        let (r, s) = (Fr::rand(rng), Fr::rand(rng));
        let n_rows = circuit.rows[0].len();
        let proof =
            Prover::create_proof_with_reduction_and_matrices(&pk, r, s, &circuit.rows, inputs, n_rows, &wires).unwrap();
        seconds.push(start.elapsed().as_secs_f64());
        cpu.push(cpu_seconds() - before);
        assert!(Prover::verify_with_processed_vk(&vk, &wires[1..inputs], &proof).unwrap());
    }
    println!("{}", serde_json::json!({ "load": load, "prove": seconds, "cpu": cpu }));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["setup", circuit, key] => setup(circuit, key),
        ["prove", key, circuit, witness, runs] => prove(key, circuit, witness, runs.parse().unwrap()),
        _ => panic!("setup CIRCUIT KEY | prove KEY CIRCUIT WITNESS RUNS"),
    }
}
