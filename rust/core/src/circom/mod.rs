//! Files of circom and snarkjs: .wtns, .r1cs, .zkey and .ptau, read as untrusted input, and what is done with them.
//!
//! Every parser works on borrowed or mapped bytes, checks each length before it reads, and allocates no more than the
//! file's own size asks for. Points lie in these files as in our keys (Montgomery limbs, infinity all zeros), but
//! unaligned.

pub mod container;
pub mod points;
pub mod ptau;
pub mod ptau_setup;
pub mod r1cs;
pub mod r1cs_prover;
pub mod subgroup;
pub mod wtns;
pub mod zkey;
pub mod zkey_prover;
