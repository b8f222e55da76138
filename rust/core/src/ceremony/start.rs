//! The beginning of a ceremony: the key with delta = eta = 1, which everybody can derive from circuit and powers of tau.

use std::ops::Deref;
use std::path::Path;

use super::file::Draft;
use super::table::trapdoors;
use super::transcript::{Head, HEAD};
use crate::circom::ptau::Ptau;
use crate::circom::ptau_setup::PtauSetup;
use crate::error::Result;
use crate::key::ProvingKey;
use crate::monitor::Monitor;
use crate::transcript::Word;

/// The initial key of a circuit on some powers of tau. Nobody may prove or verify with it.
pub struct Initial {
    pub(super) key: ProvingKey,
    pub power: u32,
    /// sha256 of the .ptau file.
    pub ptau: Word,
}

impl Initial {
    /// Errors: fewer rows than declared, cancelled, an unsafe system of constraints.
    pub fn derive<P: Deref<Target = Ptau>>(setup: PtauSetup<P>, ptau: Word, monitor: &dyn Monitor) -> Result<Self> {
        let power = setup.power();
        Ok(Initial { key: setup.initial(monitor)?, power, ptau })
    }

    pub fn head(&self) -> Head {
        let mut initial = [0; 32];
        initial.copy_from_slice(self.key.digest());
        let shape = &self.key.shape;
        Head { system: shape.system, power: self.power, ptau: self.ptau, circuit_hash: shape.circuit_hash, initial }
    }

    /// Writes a ceremony without contributions to a new file, and returns its transcript.
    pub fn start(&self, place: &Path) -> Result<Word> {
        let head = self.head();
        let mut draft = Draft::new(place, &self.key, HEAD)?;
        for section in trapdoors(head.system).iter().flat_map(|trapdoor| trapdoor.sections) {
            draft.writer.section::<u8>(*section)?.copy_from_slice(self.key.section(*section)?);
        }
        draft.writer.write_header(true);
        draft.finish(&head.to_bytes(), 0)?;
        Ok(head.hash())
    }
}
