//! The one error type of the crate. Messages say who, what was got and what was expected.

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug)]
pub enum Error {
    /// A key file is truncated, altered, of another version, or not a key at all.
    KeyFormat(String),
    /// A key belongs to another circuit, system or commitment than the one in hand.
    KeyMismatch(String),
    /// A proof or instance is malformed: wrong length, coordinate out of range, point off its curve or subgroup.
    ProofFormat(String),
    /// A file of another prover's format (.zkey, .wtns, .r1cs, .ptau) is malformed.
    Format(String),
    /// A well-formed key with which anyone can forge proofs.
    UnsafeKey(String),
    /// A well-formed proof that does not verify.
    ProofInvalid,
    /// Proofs of a batch that do not verify, counted from 0, and the size of the batch.
    BatchInvalid { bad: Vec<usize>, total: usize },
    /// Row `row` of the constraint system does not hold for the given values.
    Unsatisfied { row: usize },
    /// The values given do not form a witness.
    Witness(String),
    /// An argument has the wrong length or value.
    Argument(String),
    /// Element `index` has no inverse.
    DivisionByZero { index: usize },
    /// The bound on memory leaves too little for the work.
    Memory(String),
    /// An environment variable has a value that it cannot have.
    Setting(String),
    /// The caller asked to stop.
    Cancelled,
    /// The operating system refused a file operation or randomness.
    Io(std::io::Error),
    /// This crate broke one of its own rules, which is a bug.
    Internal(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::KeyFormat(text)
            | Error::Format(text)
            | Error::UnsafeKey(text)
            | Error::KeyMismatch(text)
            | Error::ProofFormat(text)
            | Error::Witness(text)
            | Error::Argument(text)
            | Error::Setting(text)
            | Error::Memory(text) => f.write_str(text),
            Error::ProofInvalid => f.write_str("the proof does not verify: the pairing product is not one"),
            Error::BatchInvalid { bad, total } => {
                write!(f, "{} of {total} proofs of the batch do not verify: {bad:?}", bad.len())
            }
            Error::Unsatisfied { row } => write!(f, "row {row} is not satisfied: a * b != c"),
            Error::DivisionByZero { index } => write!(f, "element {index} is zero and has no inverse"),
            Error::Cancelled => f.write_str("cancelled"),
            Error::Io(error) => write!(f, "{error}"),
            Error::Internal(text) => write!(f, "internal error: {text}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Io(error)
    }
}

/// `Err(Argument)` unless `got == expected`; `who` names the argument.
pub fn expect_len(who: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Argument(format!("{who}: expected {expected} elements, got {got}")))
}
