//! Steps of fixed-base multiplication: many accumulators, each met by one entry of a table.

use super::add::Jobs;
use super::arith::Kernel;
use super::point::{is_infinity, negate_if, Point};
use super::{dispatch, Choice};

/// sum over the windows w of sign(d) rows[w][|d| - 1] with d = digit(i, w), for i < count; infinity for no window.
///
/// Coordinates of the results are below 2p. Calling thread only.
pub fn multiply<P: Point>(choice: Choice, rows: &[&[P]], count: usize, digit: impl Fn(usize, usize) -> i32) -> Vec<P> {
    dispatch!(choice, K => multiply_with::<K, P>(rows, count, digit))
}

fn multiply_with<K: Kernel, P: Point>(rows: &[&[P]], count: usize, digit: impl Fn(usize, usize) -> i32) -> Vec<P> {
    let (mut sums, mut next) = (vec![P::INFINITY; count], vec![P::INFINITY; count]);
    let mut jobs = Jobs::<K, P>::default();
    for (w, row) in rows.iter().enumerate() {
        for i in 0..count {
            let d = digit(i, w);
            let at = d.unsigned_abs().wrapping_sub(1);
            if d == 0 {
                next[i] = sums[i];
            } else if is_infinity(&sums[i]) {
                next[i] = negate_if::<K, P>(d < 0, &row[at as usize]);
            } else {
                jobs.push(2 * i as u32, 2 * at + u32::from(d < 0), i as u32);
            }
        }
        jobs.add(&sums, row, &mut next);
        std::mem::swap(&mut sums, &mut next);
    }
    sums
}

/// 1 .. count times the point, by doubling the list: (k + j) P = kP + jP, j = 1 .. k. `count` is a power of two.
pub fn multiples<P: Point>(choice: Choice, point: P, count: usize) -> Vec<P> {
    dispatch!(choice, K => {
        let mut list = vec![point];
        let mut jobs = Jobs::<K, P>::default();
        while list.len() < count {
            let len = list.len() as u32;
            (0..len).for_each(|i| jobs.push(2 * i, 2 * (len - 1), i));
            let mut upper = vec![P::INFINITY; list.len()];
            jobs.add(&list, &list, &mut upper);
            list.extend(upper);
        }
        list
    })
}
