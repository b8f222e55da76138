//! Many points of G1 times one scalar.
//!
//! The scalar is the same for all, so all go through the same chain of doublings and additions, many at once, and
//! share inversions. The chain is short by the endomorphism (x, y) -> (beta x, y), which is multiplication by lambda (R.
//! P. Gallant, R. J. Lambert and S. A. Vanstone, "Faster point multiplication on elliptic curves with efficient
//! endomorphisms", CRYPTO 2001): s = k + lambda l with at most 127 bits each, both written in signed digits of which the
//! non-zero ones are odd and at least WIDTH places apart.

use std::marker::PhantomData;
use std::ops::Range;

use ark_ec::scalar_mul::glv::GLVConfig;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::kernel::curve::add::{add_rows, all, lanes, Row, Scratch, Source, Step, BATCH};
use crate::kernel::curve::coordinate::{Coordinate, Prime};
use crate::kernel::curve::double::double_rows;
use crate::kernel::curve::point::{Point, StoredG1};
use crate::kernel::curve::G1;
use crate::kernel::field::arith::{Arith, Kernel, Work};
use crate::kernel::field::modulus::Base;
use crate::kernel::field::{canonical, fp_limbs, Fr, Limbs};
use crate::kernel::{self, dispatch, KernelId};

/// The most points that `SameScalar::multiply` takes: as many as share inversions.
pub const MOST: usize = BATCH;

const WIDTH: usize = 4;
/// The odd multiples P, 3P .. (2^(WIDTH - 1) - 1) P.
const MULTIPLES: usize = 1 << (WIDTH - 2);

/// A scalar, ready to multiply points.
pub struct SameScalar {
    /// The digits of k and l, the lowest first, both of the same length.
    digits: Zeroizing<Vec<[i8; 2]>>,
}

/// The digits of a number, the lowest first: zero, or odd and below 2^(WIDTH - 1) in magnitude.
fn signed_digits(mut value: i128) -> Zeroizing<Vec<i8>> {
    const MODULUS: i128 = 1 << WIDTH;
    let mut digits = Zeroizing::new(Vec::with_capacity(128));
    while value != 0 {
        let digit = match value & 1 {
            0 => 0,
            _ => (value + MODULUS / 2).rem_euclid(MODULUS) - MODULUS / 2,
        };
        value = (value - digit) >> 1;
        digits.push(digit as i8);
    }
    digits
}

/// The number with this sign and these limbs. Errors (Internal): it has more than 127 bits, or almost that.
fn signed(positive: bool, magnitude: Limbs) -> Result<i128> {
    let value = u128::from(magnitude[0]) | u128::from(magnitude[1]) << 64;
    match magnitude[2..] == [0, 0] && value < (1 << 127) - (1 << WIDTH) {
        true => Ok(if positive { value as i128 } else { -(value as i128) }),
        false => Err(Error::Internal("half a scalar has more than 127 bits".into())),
    }
}

impl SameScalar {
    /// Errors (Internal): the scalar is zero.
    pub fn new(scalar: &Fr) -> Result<Self> {
        let ((k_positive, k), (l_positive, l)) = G1::scalar_decomposition(*scalar);
        let k = signed_digits(signed(k_positive, canonical(&k))?);
        let l = signed_digits(signed(l_positive, canonical(&l))?);
        let at = |digits: &[i8], i: usize| digits.get(i).copied().unwrap_or(0);
        let digits: Vec<_> = (0..k.len().max(l.len())).map(|i| [at(&k, i), at(&l, i)]).collect();
        match digits.is_empty() {
            true => Err(Error::Internal("multiplication of points by zero".into())),
            false => Ok(SameScalar { digits: Zeroizing::new(digits) }),
        }
    }

    /// Replaces each of at most `MOST` points, none of them infinity, by its product with the scalar, on the calling
    /// thread; coordinates are below p. Errors (Internal): a point has y = 0, as no point of the group has.
    pub fn multiply(&self, points: &[StoredG1], products: &mut [StoredG1]) -> Result<()> {
        self.multiply_with(kernel::active(), points, products)
    }

    fn multiply_with(&self, id: KernelId, points: &[StoredG1], products: &mut [StoredG1]) -> Result<()> {
        dispatch!(id, K => K::enter(Chain::<K> { digits: &self.digits, points, products, of: PhantomData }))
    }
}

type Rows<K> = Vec<Row<K, StoredG1>>;

/// One batch on its way through the chain.
struct Chain<'a, K> {
    digits: &'a [[i8; 2]],
    points: &'a [StoredG1],
    products: &'a mut [StoredG1],
    of: PhantomData<K>,
}

impl<K: Kernel> Work<K> for Chain<'_, K> {
    type Out = Result<()>;

    #[inline(always)]
    fn run(self) -> Result<()> {
        if self.points.is_empty() {
            return Ok(());
        }
        let loaded = load::<K>(self.points);
        let steps: Vec<Step> = (0..loaded.len() as u32).map(|i| Step { from: i, to: i, lanes: all::<K>() }).collect();
        let mut work = Working { steps, scratch: Scratch::default(), before: Vec::new() };
        let table = work.multiples(loaded)?;
        let sums = work.sums(&table, self.digits)?;
        for (row, products) in sums.iter().zip(self.products.chunks_mut(lanes::<K>())) {
            row.scatter(|lane, sum| {
                if let Some(product) = products.get_mut(lane) {
                    *product = StoredG1::new(Prime::canonical(sum.x()), Prime::canonical(sum.y()));
                }
            });
        }
        Ok(())
    }
}

/// Points as rows; lanes beyond the last point hold it again.
#[inline(always)]
fn load<K: Kernel>(points: &[StoredG1]) -> Rows<K> {
    let row = |first: usize| {
        let numbers = K::per_lane(|lane| 2 * (first + lane).min(points.len() - 1) as u32);
        Row::gather(points, &numbers).settled()
    };
    (0..points.len()).step_by(lanes::<K>()).map(row).collect()
}

struct Working<K: Kernel> {
    steps: Vec<Step>,
    scratch: Scratch<K, StoredG1>,
    before: Vec<<K as Arith<Base>>::Elem>,
}

impl<K: Kernel> Working<K> {
    /// P, 3P, 5P ..
    #[inline(always)]
    fn multiples(&mut self, points: Rows<K>) -> Result<[Rows<K>; MULTIPLES]> {
        let mut double = points.clone();
        self.double(&mut double)?;
        let mut table = [const { Vec::new() }; MULTIPLES];
        table[0] = points;
        for i in 1..MULTIPLES {
            let mut next = table[i - 1].clone();
            self.add(&double, 1, false, &mut next);
            table[i] = next;
        }
        Ok(table)
    }

    #[inline(always)]
    fn sums(&mut self, table: &[Rows<K>; MULTIPLES], digits: &[[i8; 2]]) -> Result<Rows<K>> {
        let mut sums = Vec::new();
        for pair in digits.iter().rev() {
            if !sums.is_empty() {
                self.double(&mut sums)?;
            }
            for (digit, mapped) in pair.iter().zip([false, true]) {
                if *digit == 0 {
                    continue;
                }
                let multiple = &table[usize::from(digit.unsigned_abs()) / 2];
                match sums.is_empty() {
                    true => sums = placed(multiple, *digit, mapped),
                    false => self.add(multiple, *digit, mapped, &mut sums),
                }
            }
        }
        Ok(sums)
    }

    #[inline(always)]
    fn double(&mut self, rows: &mut Rows<K>) -> Result<()> {
        match double_rows::<K>(rows, &mut self.before) {
            true => Ok(()),
            false => Err(Error::Internal("a point to be doubled has y = 0".into())),
        }
    }

    /// Adds the rows with the sign of a digit, and mapped by the endomorphism where it says so.
    #[inline(always)]
    fn add(&mut self, rows: &Rows<K>, digit: i8, mapped: bool, sums: &mut Rows<K>) {
        add_rows(&Multiple::<K>::new(rows, digit, mapped), &self.steps, sums, &mut self.scratch);
    }
}

/// The rows +-Q or +-(beta x, y) themselves.
#[inline(always)]
fn placed<K: Kernel>(rows: &Rows<K>, digit: i8, mapped: bool) -> Rows<K> {
    let multiple = Multiple::<K>::new(rows, digit, mapped);
    (0..rows.len()).map(|i| multiple.second(rows, i as u32).settled()).collect()
}

/// Adds a row to the sum in the same place.
struct Multiple<'a, K: Kernel> {
    rows: &'a [Row<K, StoredG1>],
    /// Whose lanes are odd where points are negated.
    signs: K::PerLane<u32>,
    beta: Option<<K as Arith<Base>>::Elem>,
}

impl<'a, K: Kernel> Multiple<'a, K> {
    #[inline(always)]
    fn new(rows: &'a [Row<K, StoredG1>], digit: i8, mapped: bool) -> Self {
        let beta = || <K as Arith<Base>>::splat(&<K as Arith<Base>>::constant(&fp_limbs(&G1::ENDO_COEFFS[0])));
        Multiple { rows, signs: K::per_lane(|_| u32::from(digit < 0)), beta: mapped.then(beta) }
    }
}

impl<K: Kernel> Source<K, StoredG1> for Multiple<'_, K> {
    #[inline(always)]
    fn first(&self, rows: &[Row<K, StoredG1>], from: u32) -> Row<K, StoredG1> {
        rows[from as usize]
    }

    #[inline(always)]
    fn second(&self, _rows: &[Row<K, StoredG1>], from: u32) -> Row<K, StoredG1> {
        let Row { x, y } = self.rows[from as usize];
        let x = match &self.beta {
            Some(beta) => <K as Arith<Base>>::mul(&x, beta),
            None => x,
        };
        Row { x, y: <K as Arith<Base>>::negate_odd(self.signs.as_ref(), &y) }
    }

    #[inline(always)]
    fn fetch<const CACHE: i32>(&self, _from: u32, _lanes: Range<usize>) {}
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use ark_ec::AffineRepr;
    use ark_ff::{AdditiveGroup, Field};

    use super::*;
    use crate::kernel::curve::{mul, Curve, G1Affine};
    use crate::kernel::testing::Random;

    fn points(count: usize) -> Vec<StoredG1> {
        (1..=count as u64).map(|i| G1::store(&mul::<G1>(&G1Affine::generator(), &Fr::from(i * i + 7)))).collect()
    }

    fn check(count: usize, scalar: Fr) {
        let points = points(count);
        let expected: Vec<_> = points.iter().map(|p| G1::store(&mul::<G1>(&G1::load(p), &scalar))).collect();
        let same = SameScalar::new(&scalar).expect("a scalar");
        for id in KernelId::all() {
            let mut products = vec![StoredG1::INFINITY; count];
            same.multiply_with(id, &points, &mut products).expect("points");
            assert!(products == expected, "{}: {count} points", id.name());
        }
    }

    #[test]
    fn digits_add_up() {
        for value in [1i128, -1, 7, 8, 9, -15, 16, (1 << 126) - 1, -(1 << 126) + 1, 0x1234_5678_9abc_def0] {
            let digits = signed_digits(value);
            let sum = digits.iter().rev().fold(0i128, |sum, digit| 2 * sum + i128::from(*digit));
            assert_eq!(sum, value);
            assert!(digits.iter().all(|d| *d == 0 || (*d & 1 == 1 && d.unsigned_abs() < 8)));
        }
    }

    /// Scalars of which one half is zero or small, and those that meet P + P and P - P on their way if any do.
    #[test]
    fn small_and_structured_scalars() {
        let lambda = G1::LAMBDA;
        let small = (1..40u64).flat_map(|k| [Fr::from(k), -Fr::from(k), lambda * Fr::from(k)]);
        let mixed = (1..9u64).flat_map(|k| (1..9u64).map(move |l| Fr::from(k) - lambda * Fr::from(l)));
        let inverses = [2u64, 3, 5].map(|k| Fr::from(k).inverse().expect("not zero"));
        small.chain(mixed).chain(inverses).for_each(|scalar| check(3, scalar));
        assert!(SameScalar::new(&Fr::ZERO).is_err());
    }

    #[test]
    fn every_number_of_points() {
        let scalar = G1::LAMBDA.pow([3]) + Fr::from(123_456_789u64).pow([17]);
        (1..20).chain([MOST - 1, MOST]).for_each(|count| check(count, scalar));
    }

    #[test]
    fn any_scalar() {
        let mut random = Random(0x5eed);
        (0..16).for_each(|_| check(11, random.scalar()));
    }
}
