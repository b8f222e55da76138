//! Beacons: contributions whose secrets follow from a public random value. Whether the value is what its source says,
//! a signature of drand or a hash iterated, is not checked here.

use super::knowledge::{is_secret, Secret};
use super::table::Trapdoor;
use super::transcript::{Kind, Origin, Parse};
use crate::kernel::field::Fr;
use crate::transcript::{challenge, keccak, Word};

const BEACON: &[u8] = b"zkchain/ceremony/beacon/1";
/// chain or log2 of the iterations, seven zeros, round, randomness; then the signature, or the start.
const FIXED: usize = 48;

/// The public random value in a beacon's source. Errors: the source is not of this form.
pub fn randomness(origin: &Origin) -> Parse<Word> {
    let source = &origin.source;
    let well_formed = source.len() > FIXED
        && source[1..8] == [0; 7]
        && (origin.kind == Kind::Drand || source[8..16] == [0; 8])
        && matches!(origin.kind, Kind::Drand | Kind::Hash);
    if !well_formed {
        return Err(String::from("the source of a beacon is malformed"));
    }
    let mut word = [0; 32];
    word.copy_from_slice(&source[16..48]);
    Ok(word)
}

/// The secrets of a beacon for one trapdoor.
pub fn secret(origin: &Origin, context: &Word, trapdoor: &Trapdoor) -> Parse<Secret> {
    let seed = keccak(&[BEACON, &keccak(&[trapdoor.label.as_bytes()]), context, &randomness(origin)?]);
    let made = Secret { secret: challenge(&seed, 0), nonce: challenge(&seed, 1) };
    match is_secret(&made.secret) && made.nonce != Fr::from(0u64) {
        true => Ok(made),
        false => Err(String::from("a beacon that gives no secret: take another one")),
    }
}

/// Errors: a contribution with a source, or a beacon with a malformed one.
pub fn check_source(origin: &Origin) -> Parse<()> {
    match origin.kind {
        Kind::Contribution if origin.source.is_empty() => Ok(()),
        Kind::Contribution => Err(String::from("a contribution has a source")),
        _ => randomness(origin).map(drop),
    }
}
