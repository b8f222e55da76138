//! Multi-scalar multiplication: sum of s_i P_i over points as they lie in a key file, one or several point arrays at a
//! time for the same scalars.

use std::ops::Range;
use std::sync::Mutex;

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;

use super::arith::Kernel;
use super::buckets::{Sorted, Tree};
use super::digits::{Class, Digits, Magnitude};
use super::held::Held;
use super::modulus::Limbs;
use super::point::Point;
use super::{dispatch, Choice};
use crate::error::Result;
use crate::parallel::Monitor;

/// Entries of one task at most, and at least when a window is split among threads.
const MOST: usize = 1 << 19;
const LEAST: usize = 1 << 13;

/// Point arrays that meet the same scalars.
pub trait Target: Sync {
    type Sum: Copy + Send;
    /// The arrays where they are quick to read.
    type Held: Sync;
    const ZERO: Self::Sum;

    /// The first `count` points of each array.
    fn hold(&self, count: usize) -> Self::Held;
    fn window<K: Kernel>(held: &Self::Held, sorted: &Sorted, monitor: &dyn Monitor) -> Result<Self::Sum>;
    fn add(a: &mut Self::Sum, b: &Self::Sum);
    fn double(a: &mut Self::Sum);
}

impl<'a, P: Point> Target for &'a [P] {
    type Sum = Projective<P::Curve>;
    type Held = Held<'a, P>;
    const ZERO: Self::Sum = Projective::<P::Curve>::ZERO;

    fn hold(&self, count: usize) -> Held<'a, P> {
        Held::new(&self[..count])
    }

    fn window<K: Kernel>(held: &Held<'a, P>, sorted: &Sorted, monitor: &dyn Monitor) -> Result<Self::Sum> {
        Tree::<K, P>::new(monitor).weighted_sum(held.points(), sorted)
    }

    fn add(a: &mut Self::Sum, b: &Self::Sum) {
        *a += b;
    }

    fn double(a: &mut Self::Sum) {
        a.double_in_place();
    }
}

impl<A: Target, B: Target> Target for (A, B) {
    type Sum = (A::Sum, B::Sum);
    type Held = (A::Held, B::Held);
    const ZERO: Self::Sum = (A::ZERO, B::ZERO);

    fn hold(&self, count: usize) -> Self::Held {
        (self.0.hold(count), self.1.hold(count))
    }

    fn window<K: Kernel>(held: &Self::Held, sorted: &Sorted, monitor: &dyn Monitor) -> Result<Self::Sum> {
        Ok((A::window::<K>(&held.0, sorted, monitor)?, B::window::<K>(&held.1, sorted, monitor)?))
    }

    fn add(a: &mut Self::Sum, b: &Self::Sum) {
        A::add(&mut a.0, &b.0);
        B::add(&mut a.1, &b.1);
    }

    fn double(a: &mut Self::Sum) {
        A::double(&mut a.0);
        B::double(&mut a.1);
    }
}

/// sum scalars[i] * points[i] for every array of the target; the arrays are at least as long as `scalars`, which are at
/// most 2^31, in Montgomery form. No point may be infinity. Errors: cancelled.
pub fn sum<T: Target>(choice: Choice, target: &T, scalars: &[Limbs], monitor: &dyn Monitor) -> Result<T::Sum> {
    dispatch!(choice, K => sum_with::<K, T>(target, scalars, monitor))
}

/// A part of one window of one class (the last class is the full one).
struct Task {
    class: usize,
    window: u32,
    entries: Range<usize>,
}

impl Task {
    fn cost(&self) -> usize {
        self.entries.len()
    }
}

fn sum_with<K: Kernel, T: Target>(target: &T, scalars: &[Limbs], monitor: &dyn Monitor) -> Result<T::Sum> {
    let digits = Digits::new::<K>(scalars);
    let held = target.hold(scalars.len());
    let full = digits.small.len();
    let mut tasks = Vec::new();
    for (class, small) in digits.small.iter().enumerate() {
        plan(small, class, &mut tasks);
    }
    plan(&digits.full, full, &mut tasks);
    // The longest first, so that no thread ends up alone with one.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.cost()));
    let run = |task: &Task| match digits.small.get(task.class) {
        Some(class) => window::<K, T, _>(&held, class, task, monitor),
        None => window::<K, T, _>(&held, &digits.full, task, monitor),
    };
    let results = Mutex::new(Ok(Vec::with_capacity(tasks.len())));
    rayon::scope_fifo(|scope| {
        for task in &tasks {
            scope.spawn_fifo(|_| {
                let part = run(task);
                let mut results = results.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                match (part, &mut *results) {
                    (Ok(part), Ok(list)) => list.push((task.class, task.window, part)),
                    (Err(error), _) => *results = Err(error),
                    (_, Err(_)) => {}
                }
            });
        }
    });
    let parts: Vec<(usize, u32, T::Sum)> = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())?;
    let mut total = T::ZERO;
    for class in 0..=full {
        let windows = digits.small.get(class).map_or(digits.full.windows, |c| c.windows);
        let mut sums = vec![T::ZERO; windows.count as usize];
        parts.iter().filter(|p| p.0 == class).for_each(|(_, w, part)| T::add(&mut sums[*w as usize], part));
        T::add(&mut total, &horner::<T>(&sums, windows.width));
    }
    Ok(total)
}

/// sum of 2^(width w) sums[w]
fn horner<T: Target>(sums: &[T::Sum], width: u32) -> T::Sum {
    sums.iter().rev().fold(T::ZERO, |mut total, sum| {
        (0..width).for_each(|_| T::double(&mut total));
        T::add(&mut total, sum);
        total
    })
}

fn plan<M: Magnitude>(class: &Class<M>, index: usize, tasks: &mut Vec<Task>) {
    let n = class.which.len();
    if n == 0 {
        return;
    }
    let pieces = (4 * rayon::current_num_threads()).div_ceil(class.windows.count as usize);
    for window in 0..class.windows.count {
        let step = n.div_ceil(pieces).max(LEAST).max(4 * class.windows.buckets(window)).min(MOST);
        let ranges = (0..n).step_by(step).map(|start| start..(start + step).min(n));
        tasks.extend(ranges.map(|entries| Task { class: index, window, entries }));
    }
}

fn window<K: Kernel, T: Target, M: Magnitude>(
    held: &T::Held,
    class: &Class<M>,
    task: &Task,
    monitor: &dyn Monitor,
) -> Result<T::Sum> {
    monitor.check()?;
    let buckets = class.windows.buckets(task.window);
    let digits = class.digits(task.entries.clone(), task.window);
    let which = &class.which[task.entries.clone()];
    T::window::<K>(held, &Sorted::new(buckets, &digits, |i| which[i]), monitor)
}
