//! The file that goes from hand to hand: header, transcript, and a key with the current points.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::malformed;
use super::table::{untouched, Constants};
use super::transcript::{Head, Record, HEAD};
use crate::error::{Error, Result};
use crate::key::{KeyWriter, ProvingKey};
use crate::transcript::Word;

const MAGIC: [u8; 8] = *b"ZKCHAINC";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const HINT: &str = "get the file again";

/// An opened ceremony. Opening checks that it is well-formed (check 1 and the key's header); `verify` checks the rest.
pub struct Ceremony {
    pub head: Head,
    pub records: Vec<Record>,
    /// The transcript before the first contribution and after each of them.
    pub transcripts: Vec<Word>,
    /// With the current points. Nobody may prove or verify with it.
    pub(super) key: ProvingKey,
    /// Head and records as they are in the file.
    pub(super) transcript: Vec<u8>,
}

/// How many bytes there are before the key.
fn key_offset(transcript: usize) -> Option<usize> {
    transcript.checked_add(HEADER)?.checked_next_multiple_of(HEADER)
}

impl Ceremony {
    /// Maps a file, which must not change while it is in use. Errors: Format (no such file, truncated, malformed),
    /// KeyFormat and UnsafeKey (of the key inside), KeyMismatch (head and key are about different circuits).
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() < (HEADER + HEAD) as u64 {
            return Err(malformed(format!("the file is shorter than a header; {HINT}")));
        }
        // SAFETY: the map is private and read-only; as with every mapped file, truncating it meanwhile is not
        // supported.
        let map = Arc::new(unsafe { Mmap::map(&file)? });
        let (count, length) = read_header(&map)?;
        let transcript = map[HEADER..HEADER + length].to_vec();
        let head = head_of(&transcript)?;
        let (records, transcripts) = read_records(&head, &transcript, count)?;
        let offset = key_offset(length).unwrap_or(map.len());
        if map[HEADER + length..offset].iter().any(|byte| *byte != 0) {
            return Err(malformed("something stands where zeros are due"));
        }
        let key = ProvingKey::unfinished(map, offset).map_err(|error| after(&records, error))?;
        if key.shape.system != head.system || key.shape.circuit_hash != head.circuit_hash || !key.development {
            return Err(Error::KeyMismatch("ceremony: the key in the file is not of the circuit in its head".into()));
        }
        Ok(Ceremony { head, records, transcripts, key, transcript })
    }

    /// The transcript: the last attestation.
    pub fn transcript_hash(&self) -> Word {
        self.transcripts.last().copied().unwrap_or_else(|| self.head.hash())
    }

    /// The last contribution in words, for messages about the key.
    pub fn latest(&self) -> String {
        latest(&self.records)
    }
}

fn latest(records: &[Record]) -> String {
    match records.last() {
        Some(record) => named(records.len(), &record.origin.name),
        None => "the start".into(),
    }
}

/// An error of the key, which the last contributor wrote.
fn after(records: &[Record], error: Error) -> Error {
    let told = |text: String| format!("ceremony: {}: {text}", latest(records));
    match error {
        Error::KeyFormat(text) => Error::KeyFormat(told(text)),
        Error::UnsafeKey(text) => Error::UnsafeKey(told(text)),
        other => other,
    }
}

/// A contribution in words; they are counted from 1.
pub fn named(number: usize, name: &str) -> String {
    format!("contribution {number} ({name:?})")
}

/// The number of contributions, and the length of the transcript, which is in the file.
fn read_header(map: &[u8]) -> Result<(usize, usize)> {
    let number = |at: usize| u32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]]);
    if map[..8] != MAGIC {
        return Err(malformed("this is not the file of a ceremony"));
    }
    if number(8) != VERSION {
        return Err(malformed(format!("version {} is not version {VERSION}, the one understood here", number(8))));
    }
    let length = u64::from(number(16)) | u64::from(number(20)) << 32;
    let length = usize::try_from(length).ok().filter(|n| key_offset(*n).is_some_and(|end| end <= map.len()));
    let length = length.filter(|n| *n >= HEAD).ok_or_else(|| malformed(format!("truncated or damaged; {HINT}")))?;
    match map[24..HEADER].iter().all(|byte| *byte == 0) {
        true => Ok((number(12) as usize, length)),
        false => Err(malformed("something stands where zeros are due")),
    }
}

fn head_of(transcript: &[u8]) -> Result<Head> {
    let mut bytes = [0; HEAD];
    bytes.copy_from_slice(&transcript[..HEAD]);
    Head::from_bytes(&bytes)
}

fn read_records(head: &Head, transcript: &[u8], count: usize) -> Result<(Vec<Record>, Vec<Word>)> {
    let mut rest = &transcript[HEAD..];
    let (mut records, mut transcripts) = (Vec::new(), vec![head.hash()]);
    let mut hash = head.hash();
    for number in 1..=count {
        let (record, length) = Record::from_bytes(head.system, rest)
            .map_err(|text| malformed(format!("contribution {number}: {text}")))?;
        hash = Record::hash(&hash, &rest[..length]);
        rest = &rest[length..];
        records.push(record);
        transcripts.push(hash);
    }
    match rest.is_empty() {
        true => Ok((records, transcripts)),
        false => Err(malformed(format!("there is more than {count} contributions in the transcript"))),
    }
}

/// A file being written, which nobody should know of until it is complete.
pub struct Draft {
    pub writer: KeyWriter,
    path: PathBuf,
    length: usize,
}

impl Draft {
    /// A new file at `place` with everything of `key` but the divided sections, and room for a transcript.
    pub fn new(place: &Path, key: &ProvingKey, transcript: usize) -> Result<Self> {
        let base = key_offset(transcript).ok_or_else(|| Error::Argument("transcript too large".into()))?;
        let mut writer = KeyWriter::after(base, key.shape, key.counts(), Some(place))?;
        for section in untouched(key.shape.system) {
            writer.section::<u8>(section)?.copy_from_slice(key.section(section)?);
        }
        Constants::of_key(key)?.write(&mut writer)?;
        Ok(Draft { writer, path: place.into(), length: transcript })
    }

    /// Writes header and transcript once the key is complete, and syncs the file.
    pub fn finish(mut self, transcript: &[u8], count: usize) -> Result<()> {
        crate::error::expect_len("bytes of the transcript", transcript.len(), self.length)?;
        let prefix = self.writer.prefix();
        prefix[..8].copy_from_slice(&MAGIC);
        prefix[8..12].copy_from_slice(&VERSION.to_le_bytes());
        prefix[12..16].copy_from_slice(&(count as u32).to_le_bytes());
        prefix[16..24].copy_from_slice(&(transcript.len() as u64).to_le_bytes());
        prefix[HEADER..HEADER + transcript.len()].copy_from_slice(transcript);
        self.writer.flush()?;
        Ok(File::open(&self.path)?.sync_all()?)
    }
}
