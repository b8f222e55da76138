//! Writes a .ptau file whose tau, alpha and beta are known to everybody: for measuring, never for keys.
//!
//! `cargo run --release --example powers POWER FILE`

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};

use ark_ec::AffineRepr;
use ark_ff::{BigInteger, Field, PrimeField};
use rayon::prelude::*;
use zkchain_core::kernel::curve::{Curve, G1Affine, G2Affine, G1, G2};
use zkchain_core::kernel::fft::{lagrange_at, root_of_unity};
use zkchain_core::kernel::field::{powers, Fp, Fr};
use zkchain_core::kernel::msm::fixed_base::{FixedBase, BATCH};

type Failure = Box<dyn std::error::Error>;
/// Points that are held at a time.
const PIECE: usize = 1 << 18;

struct Writer {
    file: BufWriter<File>,
    started: u64,
}

impl Writer {
    fn section(&mut self, id: u32) -> Result<(), Failure> {
        self.close()?;
        self.file.write_all(&id.to_le_bytes())?;
        self.file.write_all(&0u64.to_le_bytes())?;
        self.started = self.file.stream_position()?;
        Ok(())
    }

    /// Writes the size of the section that was open.
    fn close(&mut self) -> Result<(), Failure> {
        let end = self.file.stream_position()?;
        if self.started > 0 {
            self.file.seek(SeekFrom::Start(self.started - 8))?;
            self.file.write_all(&(end - self.started).to_le_bytes())?;
            self.file.seek(SeekFrom::Start(end))?;
        }
        Ok(())
    }

    fn points<C: Curve>(&mut self, base: &FixedBase<C>, scalars: &[Fr]) -> Result<(), Failure> {
        for piece in scalars.chunks(PIECE) {
            let parts: Vec<Vec<_>> = piece.par_chunks(BATCH).map(|part| base.multiply(part)).collect();
            let stored: Vec<C::Stored> = parts.iter().flatten().map(C::store).collect();
            self.file.write_all(bytemuck::cast_slice(&stored))?;
        }
        Ok(())
    }
}

/// The values of all Lagrange bases of sizes 1, 2 .. 2^log at tau.
fn bases(tau: Fr, log: u32) -> Result<Vec<Fr>, Failure> {
    let mut all = Vec::new();
    for k in 0..=log {
        all.extend(match k {
            0 => vec![Fr::ONE],
            _ => lagrange_at(tau, Fr::ONE, 1 << k, 0, 1 << k)?,
        });
    }
    Ok(all)
}

/// The basis of size 2n without the terms of tau^(2n-1).
fn truncated(tau: Fr, n: usize) -> Result<Vec<Fr>, Failure> {
    let mut values = lagrange_at(tau, Fr::ONE, 2 * n, 0, 2 * n)?;
    let factor = tau.pow([2 * n as u64 - 1]) * Fr::from(2 * n as u64).inverse().ok_or("zero")?;
    let roots = powers(root_of_unity(2 * n)?, 2 * n);
    values.par_iter_mut().zip(roots).for_each(|(value, root)| *value -= root * factor);
    Ok(values)
}

fn scaled(values: &[Fr], factor: Fr) -> Vec<Fr> {
    values.par_iter().map(|value| *value * factor).collect()
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let power: u32 = arguments.next().ok_or("POWER FILE")?.parse()?;
    let path = arguments.next().ok_or("POWER FILE")?;
    let [tau, alpha, beta] = [3u64, 5, 7].map(|k| Fr::from(k).pow([0x5eed_5eed_5eed]));
    let n = 1usize << power;
    let (g1, g2) =
        (FixedBase::<G1>::new(G1Affine::generator(), 8 * n), FixedBase::<G2>::new(G2Affine::generator(), 3 * n));
    let mut out = Writer { file: BufWriter::new(File::create(path)?), started: 0 };
    out.file.write_all(b"ptau")?;
    out.file.write_all(&[1u32, 11].map(u32::to_le_bytes).concat())?;
    out.section(1)?;
    out.file.write_all(&32u32.to_le_bytes())?;
    out.file.write_all(&Fp::MODULUS.to_bytes_le())?;
    out.file.write_all(&[power, power].map(u32::to_le_bytes).concat())?;
    let exponents = powers(tau, 2 * n - 1);
    let lagrange = bases(tau, power)?;
    let families: [(u32, Fr); 2] = [(4, alpha), (5, beta)];
    out.section(2)?;
    out.points(&g1, &exponents)?;
    out.section(3)?;
    out.points(&g2, &exponents[..n])?;
    for (id, factor) in families {
        out.section(id)?;
        out.points(&g1, &scaled(&exponents[..n], factor))?;
    }
    out.section(6)?;
    out.points(&g2, &[beta])?;
    out.section(7)?;
    out.file.write_all(&0u32.to_le_bytes())?;
    out.section(12)?;
    out.points(&g1, &lagrange)?;
    out.points(&g1, &truncated(tau, n)?)?;
    out.section(13)?;
    out.points(&g2, &lagrange)?;
    for (id, factor) in families {
        out.section(id + 10)?;
        out.points(&g1, &scaled(&lagrange, factor))?;
    }
    out.close()?;
    Ok(out.file.flush()?)
}
