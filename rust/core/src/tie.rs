//! The check that a proving key's constants are those of its verifying key: its proofs then hide the witness, whatever
//! else the key holds.
//!
//! A = .. + rA delta1, B = .. + sB delta2 and D = .. + kappa delta1 are uniform, since delta is not infinity and rA,
//! sB, kappa are; C is the one point that verifies with them, and no proof leaves the prover that does not verify
//! (protocol.md, section 12). With a delta1 at infinity A would be the same in every proof of the same witness, and
//! proofs would still verify: whoever guesses the witness could then confirm the guess.

use ark_ec::AffineRepr;

use crate::error::{Error, Result};
use crate::kernel::curve::{G1Affine, G2Affine};
use crate::verify::{pairing_is_one, VerifyingKey};

/// The trapdoor points that a prover adds.
#[derive(Clone, Copy, Debug)]
pub struct Constants {
    pub alpha1: G1Affine,
    pub beta1: G1Affine,
    pub delta1: G1Affine,
    pub beta2: G2Affine,
    pub delta2: G2Affine,
    /// CG16 only.
    pub eta1: Option<G1Affine>,
}

impl Constants {
    /// Checks that alpha1, beta2, delta2 are the verifying key's, and that e(x1, G2) = e(G1, x2) for x = beta, delta,
    /// eta.
    ///
    /// The points of the verifying key have been checked already: on their curves, in the subgroup, none at infinity.
    /// Errors: KeyFormat (a point off its curve), UnsafeKey (infinity, or another point than the verifying key's).
    pub fn check(&self, vk: &VerifyingKey) -> Result<()> {
        let same = [
            ("alpha1", self.alpha1 == vk.alpha),
            ("beta2", self.beta2 == vk.beta),
            ("delta2", self.delta2 == vk.delta),
            ("eta1", self.eta1.is_some() == vk.eta.is_some()),
        ];
        if let Some((name, _)) = same.iter().find(|(_, equal)| !equal) {
            return Err(untied(name));
        }
        let pairs = [("beta1", Some(self.beta1), Some(vk.beta)), ("delta1", Some(self.delta1), Some(vk.delta))];
        for (name, in_g1, in_g2) in pairs.into_iter().chain([("eta1", self.eta1, vk.eta)]) {
            if let Some((point, trapdoor)) = in_g1.zip(in_g2) {
                check_pair(name, point, trapdoor)?;
            }
        }
        Ok(())
    }
}

/// Checks that e(point, G2) = e(G1, trapdoor).
fn check_pair(name: &str, point: G1Affine, trapdoor: G2Affine) -> Result<()> {
    if point.is_zero() {
        return Err(untied(name));
    }
    if !point.is_on_curve() {
        return Err(Error::KeyFormat(format!("proving key: {name} is not a point of its curve; {HINT}")));
    }
    match pairing_is_one(&[(point, G2Affine::generator()), (-G1Affine::generator(), trapdoor)]) {
        true => Ok(()),
        false => Err(untied(name)),
    }
}

const HINT: &str = "make the key again, or take the one whose digest was published";

fn untied(name: &str) -> Error {
    Error::UnsafeKey(format!(
        "proving key: its {name} is not that of its verifying key: the key was altered, and its proofs might not hide \
         the witness; {HINT}"
    ))
}
