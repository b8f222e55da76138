//! The proving key's file: flat, versioned and memory-mapped, with points in Montgomery form as the kernels use them.
//!
//! All integers are little-endian. Every section starts at a multiple of 64 bytes and is padded with zeros to one.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic "ZKCHAINK" |
//! | 8 | 4 | version |
//! | 12 | 4 | system: 1 groth16, 2 cg16 |
//! | 16 | 32 | circuit hash |
//! | 48 | 7 x 8 | n_wires, n_public, n_committed, n_rows, domain size, instance length, file size |
//! | 104 | 4 | flags: bit 0 = development key |
//! | 108 | 4 | number of sections |
//! | 112 | 16 | zero |
//! | 128 | 32 | header digest: blake3 of bytes 0..128 and of the section table |
//! | 160 | 32 | zero |
//! | 192 | 64 each | section table: id u32, element bytes u32, count u64, offset u64, length u64, blake3 (with padding) |
//!
//! The sections are those of `Section::ALL`, in that order. Points at infinity are left out: an index section says
//! which wires the points beside it belong to, in rising order.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use ark_ec::AffineRepr;
use bytemuck::{Pod, Zeroable};
use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernel::curve::{Curve, StoredG1, StoredG2, G1, G2};
use crate::kernel::fft;
use crate::system::{Shape, System};
use crate::tie::Constants;
use crate::transcript::Word;
use crate::verify::{key_bytes_len, VerifyingKey};

pub const MAGIC: [u8; 8] = *b"ZKCHAINK";
pub const VERSION: u32 = 1;
const ALIGN: u64 = 64;
const HEADER_DIGEST: std::ops::Range<usize> = 128..160;
const FLAG_DEVELOPMENT: u32 = 1;
const HINT: &str = "make the key again";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Section {
    /// The verifying key's points in Ethereum's encodings.
    VerifyingKey = 1,
    /// alpha, beta, delta, eta (infinity for groth16).
    ConstantsG1,
    /// beta, delta.
    ConstantsG2,
    /// The wires with u_j(tau) != 0, and [u_j].
    AIndex,
    APoints,
    /// The wires with v_j(tau) != 0, and [v_j] in both groups.
    BIndex,
    B1Points,
    B2Points,
    /// Private wires with [(K_j - w_j t / z0) / delta], public and committed ones with [-w_j t / (z0 delta)].
    KIndex,
    KPoints,
    /// Committed wires with [K_j / eta].
    CommittedIndex,
    CommittedPoints,
    /// [L_i t / (z0 delta)], L_i the Lagrange basis of the coset on which t is the constant z0 = -2.
    HPoints,
}

impl Section {
    pub const ALL: [Section; 13] = [
        Section::VerifyingKey,
        Section::ConstantsG1,
        Section::ConstantsG2,
        Section::AIndex,
        Section::APoints,
        Section::BIndex,
        Section::B1Points,
        Section::B2Points,
        Section::KIndex,
        Section::KPoints,
        Section::CommittedIndex,
        Section::CommittedPoints,
        Section::HPoints,
    ];

    fn element_bytes(self) -> u32 {
        match self {
            Section::VerifyingKey => 1,
            Section::AIndex | Section::BIndex | Section::KIndex | Section::CommittedIndex => 4,
            Section::ConstantsG2 | Section::B2Points => 128,
            _ => 64,
        }
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FixedHeader {
    magic: [u8; 8],
    version: u32,
    system: u32,
    circuit_hash: Word,
    n_wires: u64,
    n_public: u64,
    n_committed: u64,
    n_rows: u64,
    domain_size: u64,
    instance_length: u64,
    file_size: u64,
    flags: u32,
    section_count: u32,
    zero: [u8; 16],
    digest: Word,
    more_zero: [u8; 32],
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Entry {
    id: u32,
    element_bytes: u32,
    count: u64,
    offset: u64,
    length: u64,
    digest: Word,
}

const FIXED: usize = std::mem::size_of::<FixedHeader>();
const ENTRY: usize = std::mem::size_of::<Entry>();
const TABLE_END: usize = FIXED + ENTRY * Section::ALL.len();

/// How many points each query has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub a: usize,
    pub b: usize,
    pub k: usize,
    pub committed: usize,
    pub domain_size: usize,
}

impl Counts {
    fn of(&self, section: Section, shape: &Shape) -> Option<usize> {
        Some(match section {
            Section::VerifyingKey => key_bytes_len(shape.system, shape.instance_length)?,
            Section::ConstantsG1 => 4,
            Section::ConstantsG2 => 2,
            Section::AIndex | Section::APoints => self.a,
            Section::BIndex | Section::B1Points | Section::B2Points => self.b,
            Section::KIndex | Section::KPoints => self.k,
            Section::CommittedIndex | Section::CommittedPoints => self.committed,
            Section::HPoints => self.domain_size,
        })
    }
}

fn aligned(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(ALIGN)
}

/// The section table without digests, and the size of the file. None when sizes overflow.
fn layout(shape: &Shape, counts: &Counts) -> Option<(Vec<Entry>, u64)> {
    let mut offset = aligned(TABLE_END as u64)?;
    let mut table = Vec::with_capacity(Section::ALL.len());
    for section in Section::ALL {
        let count = counts.of(section, shape)? as u64;
        let element_bytes = section.element_bytes();
        let length = count.checked_mul(u64::from(element_bytes))?;
        table.push(Entry { id: section as u32, element_bytes, count, offset, length, digest: [0; 32] });
        offset = offset.checked_add(aligned(length)?)?;
    }
    Some((table, offset))
}

enum Bytes {
    Mapped(Mmap),
    Owned(MmapMut),
    /// A key that is the rest of a larger file, from an offset on.
    Tail(Arc<Mmap>, usize),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(map) => map,
            Bytes::Tail(map, offset) => &map[*offset..],
        }
    }
}

fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::KeyFormat(format!("proving key: {what}; {HINT}"))
}

/// An opened proving key. Opening checks header, sizes, verifying key and constants; `verify_digests` checks the
/// sections.
pub struct ProvingKey {
    bytes: Bytes,
    table: Vec<Entry>,
    pub shape: Shape,
    pub domain_size: usize,
    pub development: bool,
    pub vk: VerifyingKey,
    /// A copy of what was checked when the key was opened: the prover does not read the file's constants again.
    pub constants: Constants,
    /// Set once every section has been found to have its digest.
    intact: OnceLock<()>,
}

impl ProvingKey {
    /// Maps a key file. The file must not change while the key is in use.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() < TABLE_END as u64 {
            return Err(corrupt("the file is shorter than a header"));
        }
        // SAFETY: the map is private and read-only; as with every mapped file, truncating it meanwhile is not
        // supported.
        let map = unsafe { Mmap::map(&file)? };
        Self::parse(Bytes::Mapped(map))
    }

    /// A key from a copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < TABLE_END {
            return Err(corrupt("the file is shorter than a header"));
        }
        let mut map = MmapMut::map_anon(bytes.len())?;
        map.copy_from_slice(bytes);
        Self::parse(Bytes::Owned(map))
    }

    /// The key that a ceremony's file holds from `offset` on. Nobody may prove or verify with it: its delta and eta may
    /// still be 1.
    pub(crate) fn unfinished(map: Arc<Mmap>, offset: usize) -> Result<Self> {
        let aligned = (offset as u64).is_multiple_of(ALIGN);
        if !aligned || offset.checked_add(TABLE_END).is_none_or(|end| end > map.len()) {
            return Err(corrupt("the file is shorter than a header"));
        }
        Self::decode(Bytes::Tail(map, offset))
    }

    /// Errors: KeyFormat (not such a file, truncated, altered), UnsafeKey (constants that are not the verifying key's,
    /// trapdoors that are not independent).
    fn parse(bytes: Bytes) -> Result<Self> {
        let key = Self::decode(bytes)?;
        key.vk.check_trapdoors()?;
        Ok(key)
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        let header: FixedHeader = bytemuck::pod_read_unaligned(&bytes[..FIXED]);
        check_header(&header, &bytes)?;
        let shape = header_shape(&header)?;
        let table: Vec<Entry> = bytes[FIXED..TABLE_END].chunks_exact(ENTRY).map(bytemuck::pod_read_unaligned).collect();
        let domain_size = header.domain_size as usize;
        check_table(&table, &shape, domain_size, bytes.len() as u64)?;
        let vk_entry = &table[0];
        let vk_bytes = &bytes[vk_entry.offset as usize..(vk_entry.offset + vk_entry.length) as usize];
        let vk = VerifyingKey::unfinished(shape.system, shape.instance_length, shape.circuit_hash, vk_bytes)?;
        let constants = read_constants(&bytes, &table, shape.system)?;
        constants.check(&vk)?;
        let development = header.flags & FLAG_DEVELOPMENT != 0;
        Ok(ProvingKey { table, shape, domain_size, development, vk, constants, bytes, intact: OnceLock::new() })
    }

    /// Reads every section and compares its digest. Once all have been right, later calls read nothing.
    pub fn verify_digests(&self) -> Result<()> {
        if self.intact.get().is_none() {
            self.table.par_iter().try_for_each(|entry| self.verify_section(entry))?;
        }
        self.intact.get_or_init(|| ());
        Ok(())
    }

    fn verify_section(&self, entry: &Entry) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        if hasher.update_rayon(padded(&self.bytes, entry)).finalize().as_bytes() == &entry.digest {
            return Ok(());
        }
        Err(corrupt(format!("section {:?} does not have its digest: the file was altered", section_of(entry))))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest in the header, which covers all sections.
    pub fn digest(&self) -> &[u8] {
        &self.bytes[HEADER_DIGEST]
    }

    /// Writes and syncs the key; the caller renames the file into its place.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&self.bytes)?;
        Ok(file.sync_all()?)
    }

    /// Writes and syncs the key with or without the mark of a development key, which the digest covers.
    pub(crate) fn save_marked(&self, path: &Path, development: bool) -> Result<()> {
        let mut header: FixedHeader = bytemuck::pod_read_unaligned(&self.bytes[..FIXED]);
        header.flags = if development { FLAG_DEVELOPMENT } else { 0 };
        let mut start = self.bytes[..TABLE_END].to_vec();
        start[..FIXED].copy_from_slice(bytemuck::bytes_of(&header));
        header.digest = header_digest(&start);
        start[..FIXED].copy_from_slice(bytemuck::bytes_of(&header));
        let mut file = File::create(path)?;
        file.write_all(&start)?;
        file.write_all(&self.bytes[TABLE_END..])?;
        Ok(file.sync_all()?)
    }

    /// What the section table says of a section's content.
    pub(crate) fn section_digest(&self, section: Section) -> Word {
        self.table[section as usize - 1].digest
    }

    pub(crate) fn counts(&self) -> Counts {
        let count = |section: Section| self.table[section as usize - 1].count as usize;
        Counts {
            a: count(Section::AIndex),
            b: count(Section::BIndex),
            k: count(Section::KIndex),
            committed: count(Section::CommittedIndex),
            domain_size: self.domain_size,
        }
    }

    /// The elements of a section as they lie in the file.
    pub(crate) fn section<T: Pod>(&self, section: Section) -> Result<&[T]> {
        section_of_file(&self.bytes, &self.table, section)
    }

    pub fn indices(&self, section: Section) -> Result<&[u32]> {
        self.section(section)
    }

    pub fn g1(&self, section: Section) -> Result<&[StoredG1]> {
        self.section(section)
    }

    pub fn g2(&self, section: Section) -> Result<&[StoredG2]> {
        self.section(section)
    }
}

fn section_of_file<'a, T: Pod>(bytes: &'a [u8], table: &[Entry], section: Section) -> Result<&'a [T]> {
    let entry = &table[section as usize - 1];
    let bytes = &bytes[entry.offset as usize..(entry.offset + entry.length) as usize];
    bytemuck::try_cast_slice(bytes).map_err(|e| Error::Internal(format!("section {section:?}: {e}")))
}

/// The constants as the file has them, reduced but not checked.
fn read_constants(bytes: &[u8], table: &[Entry], system: System) -> Result<Constants> {
    let g1: &[StoredG1] = section_of_file(bytes, table, Section::ConstantsG1)?;
    let g2: &[StoredG2] = section_of_file(bytes, table, Section::ConstantsG2)?;
    let [alpha1, beta1, delta1, eta1] = [0, 1, 2, 3].map(|i| G1::load(&g1[i]));
    let [beta2, delta2] = [0, 1].map(|i| G2::load(&g2[i]));
    // Infinity stands for no eta; any other point in a groth16 key is kept, and refused by `Constants::check`.
    let eta1 = (system == System::Cg16 || !eta1.is_zero()).then_some(eta1);
    Ok(Constants { alpha1, beta1, delta1, beta2, delta2, eta1 })
}

fn section_of(entry: &Entry) -> Section {
    Section::ALL[(entry.id as usize - 1).min(Section::ALL.len() - 1)]
}

fn padded<'a>(bytes: &'a [u8], entry: &Entry) -> &'a [u8] {
    let length = entry.length.next_multiple_of(ALIGN);
    &bytes[entry.offset as usize..(entry.offset + length) as usize]
}

fn header_digest(bytes: &[u8]) -> Word {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..128]).update(&bytes[FIXED..TABLE_END]);
    *hasher.finalize().as_bytes()
}

fn check_header(header: &FixedHeader, bytes: &[u8]) -> Result<()> {
    if header.magic != MAGIC {
        return Err(corrupt("this is not a zkchain proving key"));
    }
    if header.version != VERSION {
        return Err(corrupt(format!("version {} is not version {VERSION}, the one understood here", header.version)));
    }
    if header.file_size != bytes.len() as u64 {
        let (expected, got) = (header.file_size, bytes.len());
        return Err(corrupt(format!("expected {expected} bytes, got {got}: the file is truncated or damaged")));
    }
    let zeros = header.zero.iter().chain(&header.more_zero).all(|b| *b == 0);
    if header_digest(bytes) != header.digest || !zeros {
        return Err(corrupt("the header does not have its digest: the file was altered"));
    }
    if header.section_count as usize != Section::ALL.len() || header.flags & !FLAG_DEVELOPMENT != 0 {
        return Err(corrupt("unknown sections or flags"));
    }
    Ok(())
}

fn header_shape(header: &FixedHeader) -> Result<Shape> {
    let system = match header.system {
        1 => System::Groth16,
        2 => System::Cg16,
        other => return Err(corrupt(format!("unknown proof system {other}"))),
    };
    let shape = Shape {
        system,
        n_wires: header.n_wires as usize,
        n_public: header.n_public as usize,
        n_committed: header.n_committed as usize,
        n_rows: header.n_rows as usize,
        instance_length: header.instance_length as usize,
        circuit_hash: header.circuit_hash,
    };
    shape.check().map_err(corrupt)?;
    let domain = header.domain_size as usize;
    if !fft::is_domain_size(domain) || domain < shape.all_rows() {
        return Err(corrupt(format!("domain size {domain} does not fit {} rows", shape.all_rows())));
    }
    Ok(shape)
}

/// The table must be the one that the counts imply, to the byte.
fn check_table(table: &[Entry], shape: &Shape, domain_size: usize, file_size: u64) -> Result<()> {
    let count = |section: Section| table[section as usize - 1].count as usize;
    let counts = Counts {
        a: count(Section::AIndex),
        b: count(Section::BIndex),
        k: count(Section::KIndex),
        committed: count(Section::CommittedIndex),
        domain_size,
    };
    let most = [counts.a, counts.b, counts.k].into_iter().all(|n| n <= shape.n_wires);
    let expected = layout(shape, &counts).filter(|_| most && counts.committed <= shape.n_committed);
    let same = |(x, y): (&Entry, &Entry)| {
        (x.id, x.element_bytes, x.count, x.offset, x.length) == (y.id, y.element_bytes, y.count, y.offset, y.length)
    };
    match expected {
        Some((entries, size)) if size == file_size && entries.iter().zip(table).all(same) => Ok(()),
        _ => Err(corrupt("the section table contradicts the header")),
    }
}

/// Reserves the file's blocks on the disk. If the disk were full only later, writing to the map would end the process.
fn reserve(file: &File, size: u64) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the arguments are numbers only, and the file is open.
        let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, size as libc::off_t) };
        if code != 0 {
            return Err(std::io::Error::from_raw_os_error(code).into());
        }
    }
    let _ = (file, size);
    Ok(())
}

/// A key being written: sections are filled in any order, then sealed.
pub struct KeyWriter {
    map: MmapMut,
    /// Where the key begins in the map.
    base: usize,
    table: Vec<Entry>,
    shape: Shape,
    domain_size: usize,
}

impl KeyWriter {
    /// A key in memory, or in a new file at `place`, whose pages the system may write out and drop.
    pub fn new(shape: Shape, counts: Counts, place: Option<&Path>) -> Result<Self> {
        Self::after(0, shape, counts, place)
    }

    /// The same behind `base` bytes for something else, a multiple of 64.
    pub(crate) fn after(base: usize, shape: Shape, counts: Counts, place: Option<&Path>) -> Result<Self> {
        let whole = layout(&shape, &counts).and_then(|(table, size)| Some((table, size.checked_add(base as u64)?)));
        let (table, size) = whole.ok_or_else(|| Error::Argument("key too large".into()))?;
        let map = match place {
            None => MmapMut::map_anon(size as usize)?,
            Some(path) => {
                let file = File::options().read(true).write(true).create_new(true).open(path)?;
                file.set_len(size)?;
                reserve(&file, size)?;
                // SAFETY: the file is new, and nobody else knows of it.
                unsafe { MmapMut::map_mut(&file)? }
            }
        };
        Ok(KeyWriter { map, base, table, shape, domain_size: counts.domain_size })
    }

    /// The bytes before the key.
    pub(crate) fn prefix(&mut self) -> &mut [u8] {
        &mut self.map[..self.base]
    }

    /// The elements of a section, to be written.
    pub fn section<T: Pod>(&mut self, section: Section) -> Result<&mut [T]> {
        let entry = self.table[section as usize - 1];
        let key = &mut self.map[self.base..];
        let bytes = &mut key[entry.offset as usize..(entry.offset + entry.length) as usize];
        bytemuck::try_cast_slice_mut(bytes).map_err(|e| Error::Internal(format!("section {section:?}: {e}")))
    }

    /// The digest that a section has since the header was written.
    pub(crate) fn section_digest(&self, section: Section) -> Word {
        self.table[section as usize - 1].digest
    }

    /// Writes digests and header; returns the key's digest.
    pub(crate) fn write_header(&mut self, development: bool) -> Word {
        let key = &mut self.map[self.base..];
        let sections = &*key;
        self.table.par_iter_mut().for_each(|entry| {
            let mut hasher = blake3::Hasher::new();
            entry.digest = *hasher.update_rayon(padded(sections, entry)).finalize().as_bytes();
        });
        let shape = &self.shape;
        let mut header = FixedHeader {
            magic: MAGIC,
            version: VERSION,
            system: if shape.system == System::Groth16 { 1 } else { 2 },
            circuit_hash: shape.circuit_hash,
            n_wires: shape.n_wires as u64,
            n_public: shape.n_public as u64,
            n_committed: shape.n_committed as u64,
            n_rows: shape.n_rows as u64,
            domain_size: self.domain_size as u64,
            instance_length: shape.instance_length as u64,
            file_size: key.len() as u64,
            flags: if development { FLAG_DEVELOPMENT } else { 0 },
            section_count: self.table.len() as u32,
            zero: [0; 16],
            digest: [0; 32],
            more_zero: [0; 32],
        };
        key[FIXED..TABLE_END].copy_from_slice(bytemuck::cast_slice(&self.table));
        key[..FIXED].copy_from_slice(bytemuck::bytes_of(&header));
        header.digest = header_digest(key);
        key[..FIXED].copy_from_slice(bytemuck::bytes_of(&header));
        header.digest
    }

    /// Writes the map to the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.map.flush()?)
    }

    /// Writes digests and header, and opens the key.
    pub fn seal(mut self, development: bool) -> Result<ProvingKey> {
        self.write_header(development);
        self.flush()?;
        ProvingKey::parse(Bytes::Owned(self.map))
    }

    /// The same for a key in a ceremony, whose delta and eta may be 1.
    pub(crate) fn seal_unfinished(mut self) -> Result<ProvingKey> {
        self.write_header(true);
        ProvingKey::decode(Bytes::Owned(self.map))
    }
}

/// A key file with some sections replaced by others of the same length, digests anew. The sections' meaning is not
/// checked. Errors (KeyFormat): not such a file, an unknown section, another length.
pub fn with_sections(key: &[u8], replaced: &[(u32, Vec<u8>)]) -> Result<Vec<u8>> {
    if key.len() < TABLE_END {
        return Err(corrupt("the file is shorter than a header"));
    }
    check_header(&bytemuck::pod_read_unaligned(&key[..FIXED]), key)?;
    let mut bytes = key.to_vec();
    for (id, content) in replaced {
        let known = Section::ALL.iter().any(|section| *section as u32 == *id);
        let at = FIXED + ENTRY * (*id as usize).wrapping_sub(1);
        let mut entry: Entry = match known {
            true => bytemuck::pod_read_unaligned(&bytes[at..at + ENTRY]),
            false => return Err(corrupt(format!("there is no section {id}"))),
        };
        let end = entry.offset.checked_add(entry.length).and_then(aligned);
        if entry.length != content.len() as u64 || end.is_none_or(|end| end > bytes.len() as u64) {
            return Err(corrupt(format!("section {id}: expected {} bytes, got {}", entry.length, content.len())));
        }
        bytes[entry.offset as usize..(entry.offset + entry.length) as usize].copy_from_slice(content);
        entry.digest = *blake3::Hasher::new().update_rayon(padded(&bytes, &entry)).finalize().as_bytes();
        bytes[at..at + ENTRY].copy_from_slice(bytemuck::bytes_of(&entry));
    }
    let digest = header_digest(&bytes);
    bytes[HEADER_DIGEST].copy_from_slice(&digest);
    Ok(bytes)
}
