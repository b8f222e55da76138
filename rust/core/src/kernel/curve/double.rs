//! Many independent doublings of affine points of G1, which share inversions: seven multiplications each.
//!
//! lambda = 3 x^2 / 2y;  x' = lambda^2 - 2x;  y' = lambda (x - x') - y.
//!
//! As in `add`, a first pass multiplies the denominators, and a second one, from the last row to the first, takes single
//! inverses out of the inverse of their product. A coordinate has the value s x (`field::arith`): 3 x^2 / 2y then has
//! one s too many, which the inverse of the product takes out.

use super::add::{invert_chains, Row, CHAINS};
use super::point::StoredG1;
use crate::kernel::field::arith::{Arith, Kernel};
use crate::kernel::field::modulus::Base;

type Elem<K> = <K as Arith<Base>>::Elem;

/// Rows that are finished together: two are of different chains, so that neither waits for the other.
const TOGETHER: usize = 2;

/// Doubles every row; coordinates are tight before and after. `before` is scratch. False, and nothing is done, when a y
/// is zero, as infinity has it.
#[inline(always)]
pub fn double_rows<K: Kernel>(rows: &mut [Row<K, StoredG1>], before: &mut Vec<Elem<K>>) -> bool {
    let one = <K as Arith<Base>>::one();
    before.clear();
    before.resize(rows.len() + CHAINS, one);
    for (i, row) in rows.iter().enumerate() {
        before[i + CHAINS] = <K as Arith<Base>>::mul_loose(&before[i], &twice::<K>(&row.y));
    }
    let mut products = [one; CHAINS];
    (rows.len()..rows.len() + CHAINS).for_each(|i| products[i % CHAINS] = before[i]);
    let Some(inverses) = invert_chains::<K, StoredG1>(&products) else { return false };
    let mut inverses = inverses.map(|e| without_s::<K>(&e, &one));
    let mut left = rows.len();
    while !left.is_multiple_of(TOGETHER) {
        left -= 1;
        finish::<K, 1>(left, rows, before, &mut inverses);
    }
    while left > 0 {
        left -= TOGETHER;
        finish::<K, TOGETHER>(left, rows, before, &mut inverses);
    }
    true
}

#[inline(always)]
fn twice<K: Kernel>(y: &Elem<K>) -> Elem<K> {
    <K as Arith<Base>>::add_loose(y, y)
}

/// e / s, tight, for e from `mul_loose`.
#[inline(always)]
fn without_s<K: Kernel>(e: &Elem<K>, one: &Elem<K>) -> Elem<K> {
    let factor = <K as Arith<Base>>::factor(&<K as Arith<Base>>::tighten(e));
    <K as Arith<Base>>::mul(&factor, one)
}

/// Doubles the N rows from `first` on, and takes their denominators out of the inverses of their chains.
#[inline(always)]
fn finish<K: Kernel, const N: usize>(
    first: usize,
    rows: &mut [Row<K, StoredG1>],
    before: &[Elem<K>],
    inverses: &mut [Elem<K>; CHAINS],
) {
    let mul = <K as Arith<Base>>::mul_loose;
    let mut slopes = [<K as Arith<Base>>::one(); N];
    for i in 0..N {
        let inverse = &mut inverses[(first + i) % CHAINS];
        slopes[i] = mul(inverse, &before[first + i]);
        *inverse = mul(inverse, &twice::<K>(&rows[first + i].y));
    }
    for i in 0..N {
        let x = &rows[first + i].x;
        let square = <K as Arith<Base>>::mul(x, x);
        let numerator = <K as Arith<Base>>::add_loose(&<K as Arith<Base>>::add_loose(&square, &square), &square);
        slopes[i] = mul(&slopes[i], &numerator);
    }
    for i in 0..N {
        let Row { x, y } = rows[first + i];
        let double = <K as Arith<Base>>::square_sub(&slopes[i], &x, &<K as Arith<Base>>::sub_loose(&x, &x));
        let run = <K as Arith<Base>>::sub_widened(&x, &double);
        rows[first + i] = Row { x: double, y: <K as Arith<Base>>::mul_sub(&slopes[i], &run, &y) };
    }
}
