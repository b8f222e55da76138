//! The files of circom and snarkjs, which are read as untrusted input, and the provers and the setup that use them.
//!
//! - `container`: the format that all of them share; `points`: points as they lie in them;
//! - `wtns`: witnesses; `r1cs`: constraints; `zkey`: proving keys; `ptau`: powers of tau;
//! - `zkey_prover`: proofs with a .zkey; `r1cs_prover`: proofs with our own key for an .r1cs;
//! - `unfold`: between our K query and a .zkey's;
//! - `ptau_setup`: our own key from powers of tau; `subgroup`: whether points of G2 are in the subgroup of order r.
//!
//! Every parser works on borrowed or mapped bytes, checks each length before it reads, and allocates no more than the
//! size of the file justifies. Points lie in these files as in our keys (Montgomery limbs, infinity as zeros), but
//! unaligned.

pub mod container;
pub mod points;
pub mod ptau;
pub mod ptau_setup;
pub mod r1cs;
pub mod r1cs_prover;
pub mod subgroup;
pub mod unfold;
pub mod wtns;
pub mod zkey;
pub mod zkey_prover;
