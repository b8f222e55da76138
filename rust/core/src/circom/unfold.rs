//! Between our K query and snarkjs's: a .zkey holds K_j / delta for private wires, our key holds them without the part
//! that our H points cover, and that part alone for the other wires.
//!
//! ```text
//! D_i  = L_i t / (z0 delta)              t = X^n - 1, z0 = -2, L the Lagrange basis of the domain of size n
//!      = sum_k L_i(g w^k) H_k            H_k = l_(2k+1) / delta, g^2 = w: t is z0 at g w^k, and 0 at w^k
//! K_j  = K'_j + sum_i C_ij D_i           private wires
//! E_j  =      - sum_i C_ij D_i           all others
//! L_i(g w^k) = 1/n sum_m g^m w^(km) w^(-im)
//! ```
//! so D is a transform of H, a factor g^m / n, and an inverse transform, over points of G1: n log n multiplications of
//! a point. Nobody needs delta for it.

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ff::Field;
use rayon::prelude::*;

use crate::circom::points::Points;
use crate::circom::ptau_setup::{Base, Entries};
use crate::circom::zkey::KIND;
use crate::error::{expect_len, Error, Result};
use crate::kernel::curve::{self, Curve, StoredG1, G1, G2};
use crate::kernel::fft;
use crate::kernel::field::{self, Fr};
use crate::monitor::Monitor;
use crate::rows::Rows;

/// The wires of one task.
const TASK: usize = 64;
type Point = Projective<G1>;

/// Collects the rows of C, then adds or takes away their part.
pub struct Unfold {
    n_wires: usize,
    rows_seen: usize,
    quotients: Vec<StoredG1>,
    entries: Entries,
}

impl Unfold {
    /// `h`: the H points, one after the other. Errors (Format): not points of the curve, or not as many as a domain has.
    pub fn new(h: &[u8], n_wires: usize, monitor: &dyn Monitor) -> Result<Self> {
        let points = checked(h, "H")?;
        let n = points.len();
        if !fft::is_domain_size(n) || n < 2 {
            return Err(KIND.error(format!("{n} points of H: not a domain's size")));
        }
        let mut values: Vec<Point> = (0..n).map(|i| points.get(i).into()).collect();
        quotients(&mut values, monitor)?;
        let quotients = curve::to_affine(&values).iter().map(G1::store).collect();
        Ok(Unfold { n_wires, rows_seen: 0, quotients, entries: Entries::default() })
    }

    /// Adds the next rows of C. Errors: more of them than the domain has.
    pub fn add_rows(&mut self, c: Rows<'_>) -> Result<()> {
        if c.count() > self.quotients.len() - self.rows_seen {
            return Err(Error::Argument(format!("more than {} rows", self.quotients.len())));
        }
        c.for_each(|row, wire, value| self.entries.push(self.rows_seen + row, wire, value));
        self.rows_seen += c.count();
        Ok(())
    }

    /// `points`, one for each wire, plus or minus sum_i C_ij D_i; infinity is all zeros.
    pub fn finish(self, points: &[u8], minus: bool, monitor: &dyn Monitor) -> Result<Vec<u8>> {
        let before = checked(points, "K")?;
        expect_len("points of K", before.len(), self.n_wires)?;
        let columns = self.entries.into_columns();
        let base = Base { points: Points::<G1>::new(bytemuck::cast_slice(&self.quotients)), stride: 1 };
        let wires: Vec<u32> = (0..self.n_wires as u32).collect();
        let task = |chunk: &[u32]| -> Result<Vec<StoredG1>> {
            monitor.check()?;
            let sums: Vec<Point> = chunk
                .iter()
                .map(|wire| {
                    let part = columns.sum(*wire, &base, monitor)?;
                    Ok(if minus { -part } else { part } + before.get(*wire as usize))
                })
                .collect::<Result<_>>()?;
            Ok(curve::to_affine(&sums).iter().map(G1::store).collect())
        };
        monitor.step("zkey: k", 0.0)?;
        let parts: Vec<Vec<StoredG1>> = wires.par_chunks(TASK).map(task).collect::<Result<_>>()?;
        Ok(bytemuck::cast_slice(&parts.concat()).to_vec())
    }
}

/// a - b for each pair of points. Errors (Format): a point is not on its curve, or there are more of one than of the other.
pub fn differences(a: &[u8], b: &[u8]) -> Result<Vec<u8>> {
    let (a, b) = (checked(a, "points")?, checked(b, "points")?);
    expect_len("points", b.len(), a.len())?;
    let sums: Vec<Point> = (0..a.len()).into_par_iter().map(|i| Point::from(a.get(i)) - b.get(i)).collect();
    let stored: Vec<StoredG1> = curve::to_affine(&sums).iter().map(G1::store).collect();
    Ok(bytemuck::cast_slice(&stored).to_vec())
}

/// Points in the uncompressed form that snarkjs hashes: big-endian, in G2 the imaginary part first, infinity all zeros. The
/// points must have been checked.
pub fn uncompressed(points: &[u8], second: bool) -> Vec<u8> {
    fn all<C: Curve, const N: usize>(bytes: &[u8], encode: impl Fn(&Affine<C>) -> [u8; N] + Sync) -> Vec<u8> {
        let points = Points::<C>::new(bytes);
        (0..points.len()).into_par_iter().flat_map_iter(|i| encode(&points.get(i))).collect()
    }
    match second {
        true => all::<G2, { curve::G2_BYTES }>(points, curve::encode_g2),
        false => all::<G1, { curve::G1_BYTES }>(points, curve::encode_g1),
    }
}

fn checked<'a>(bytes: &'a [u8], name: &str) -> Result<Points<'a, G1>> {
    let points = Points::<G1>::new(bytes);
    expect_len(name, bytes.len(), points.len() * Points::<G1>::SIZE)?;
    match points.first_invalid() {
        None => Ok(points),
        Some(i) => Err(KIND.error(format!("{name}: point {i} is not on its curve"))),
    }
}

/// D from H, in place.
fn quotients(values: &mut [Point], monitor: &dyn Monitor) -> Result<()> {
    let n = values.len();
    let (g, w) = (fft::root_of_unity(2 * n)?, fft::root_of_unity(n)?);
    let inverse = |x: Fr| x.inverse().ok_or(Error::Internal("a root of unity is zero".into()));
    transform(values, w, "zkey: transform", monitor)?;
    let scale = inverse(Fr::from(n as u64))?;
    let factors = field::powers(g, n);
    values.par_iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor * scale);
    transform(values, inverse(w)?, "zkey: inverse transform", monitor)
}

/// values[i] becomes sum_k values[k] root^(ik) (Cooley and Tukey, in place, decimation in time).
fn transform(values: &mut [Point], root: Fr, stage: &'static str, monitor: &dyn Monitor) -> Result<()> {
    let n = values.len();
    let log = n.trailing_zeros();
    for i in 0..n {
        let j = i.reverse_bits() >> (usize::BITS - log);
        if i < j {
            values.swap(i, j);
        }
    }
    let twiddles = field::powers(root, n / 2);
    for level in 0..log {
        monitor.step(stage, f64::from(level) / f64::from(log))?;
        let half = 1usize << level;
        let step = n / (2 * half);
        values.par_chunks_mut(2 * half).for_each(|chunk| {
            let (low, high) = chunk.split_at_mut(half);
            low.par_iter_mut().zip(high).with_min_len(16).enumerate().for_each(|(j, (x, y))| {
                if j > 0 {
                    *y *= twiddles[j * step];
                }
                let (sum, difference) = (*x + *y, *x - *y);
                (*x, *y) = (sum, difference);
            });
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use ark_ec::{AffineRepr, PrimeGroup};
    use ark_ff::Zero;

    use super::*;
    use crate::circom::ptau::{Family, Ptau};
    use crate::monitor::Silent;

    fn powers() -> Ptau {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/snarkjs/toy.ptau");
        Ptau::from_bytes(std::fs::read(path).expect("fixture")).expect("powers")
    }

    #[test]
    fn a_transform_is_the_sum_that_it_says() {
        let (n, root) = (16usize, fft::root_of_unity(16).expect("a root"));
        let scalars: Vec<Fr> = (0..n).map(|_| field::random().expect("randomness")).collect();
        let mut values: Vec<Point> = scalars.iter().map(|s| Point::generator() * s).collect();
        transform(&mut values, root, "test", &Silent).expect("transform");
        for (i, value) in values.iter().enumerate() {
            let expected: Fr = (0..n).map(|k| scalars[k] * root.pow([(i * k) as u64])).sum();
            assert_eq!(*value, Point::generator() * expected);
        }
    }

    /// L_i t / z0 = L_i - l_2i, for every size that the file has, the truncated one included.
    #[test]
    fn quotients_are_those_of_the_lagrange_bases() {
        let ptau = powers();
        for log in 1..=6 {
            let n = 1usize << log;
            let base = ptau.lagrange::<G1>(Family::TauG1, log).expect("basis");
            let double = ptau.lagrange::<G1>(Family::TauG1, log + 1).expect("basis");
            let mut values: Vec<Point> = (0..n).map(|i| double.get(2 * i + 1).into()).collect();
            quotients(&mut values, &Silent).expect("quotients");
            for (i, value) in values.iter().enumerate() {
                let expected = base.get(i).into_group() - double.get(2 * i);
                assert_eq!(*value, expected, "2^{log}, point {i}");
            }
            assert!(!values.iter().any(Zero::is_zero));
        }
    }
}
