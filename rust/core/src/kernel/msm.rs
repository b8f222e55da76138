//! Multi-scalar multiplication: sum of s_i P_i over points as they lie in a key file, one or several point arrays at a
//! time for the same scalars.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;

use super::arith::Kernel;
use super::buckets::{Buffers, Sorted, Tree};
use super::digits::{classes, Class, Windows};
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
    type Buffers<K: Kernel>: Default + Send;
    const ZERO: Self::Sum;

    /// The first `count` points of each array.
    fn hold(&self, count: usize) -> Self::Held;
    fn window<K: Kernel>(
        held: &Self::Held,
        sorted: &Sorted,
        buffers: &mut Self::Buffers<K>,
        monitor: &dyn Monitor,
    ) -> Result<Self::Sum>;
    fn add(a: &mut Self::Sum, b: &Self::Sum);
    fn double(a: &mut Self::Sum);
}

impl<'a, P: Point> Target for &'a [P] {
    type Sum = Projective<P::Curve>;
    type Held = Held<'a, P>;
    type Buffers<K: Kernel> = Buffers<K, P>;
    const ZERO: Self::Sum = Projective::<P::Curve>::ZERO;

    fn hold(&self, count: usize) -> Held<'a, P> {
        Held::new(&self[..count])
    }

    fn window<K: Kernel>(
        held: &Held<'a, P>,
        sorted: &Sorted,
        buffers: &mut Buffers<K, P>,
        monitor: &dyn Monitor,
    ) -> Result<Self::Sum> {
        Tree { monitor, buffers }.weighted_sum(held.points(), sorted)
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
    type Buffers<K: Kernel> = (A::Buffers<K>, B::Buffers<K>);
    const ZERO: Self::Sum = (A::ZERO, B::ZERO);

    fn hold(&self, count: usize) -> Self::Held {
        (self.0.hold(count), self.1.hold(count))
    }

    fn window<K: Kernel>(
        held: &Self::Held,
        sorted: &Sorted,
        buffers: &mut Self::Buffers<K>,
        monitor: &dyn Monitor,
    ) -> Result<Self::Sum> {
        let first = A::window::<K>(&held.0, sorted, &mut buffers.0, monitor)?;
        Ok((first, B::window::<K>(&held.1, sorted, &mut buffers.1, monitor)?))
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

/// A part of one window of one class.
struct Task {
    class: usize,
    window: u32,
    parts: Range<usize>,
    entries: usize,
}

/// What a thread needs for a task, kept for its next one.
struct Desk<B> {
    sorted: Sorted,
    buffers: B,
}

fn sum_with<K: Kernel, T: Target>(target: &T, scalars: &[Limbs], monitor: &dyn Monitor) -> Result<T::Sum> {
    let classes = classes::<K>(scalars);
    let held = target.hold(scalars.len());
    let mut tasks: Vec<Task> = classes.iter().enumerate().flat_map(|(i, class)| plan(class, i)).collect();
    // The longest first, so that no thread ends up alone with one.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.entries));
    let desks = Mutex::new(Vec::new());
    let run = |task: &Task| {
        monitor.check()?;
        let free = locked(&desks).pop();
        let mut desk = free.unwrap_or_else(|| Desk { sorted: Sorted::default(), buffers: T::Buffers::<K>::default() });
        let class = &classes[task.class];
        let (buckets, half) = (class.windows.buckets(task.window), class.windows.half(task.window));
        desk.sorted.sort(buckets, half, class.window(task.parts.clone(), task.window));
        let sum = T::window::<K>(&held, &desk.sorted, &mut desk.buffers, monitor)?;
        locked(&desks).push(desk);
        Ok((task.class, task.window, sum))
    };
    let results = Mutex::new(Vec::with_capacity(tasks.len()));
    rayon::scope_fifo(|scope| {
        for task in &tasks {
            scope.spawn_fifo(|_| {
                let result = run(task);
                locked(&results).push(result);
            });
        }
    });
    let parts = std::mem::take(&mut *locked(&results)).into_iter().collect::<Result<Vec<(usize, u32, T::Sum)>>>()?;
    let mut total = T::ZERO;
    for (i, class) in classes.iter().enumerate() {
        let mut sums = vec![T::ZERO; class.windows.count as usize];
        parts.iter().filter(|p| p.0 == i).for_each(|(_, w, part)| T::add(&mut sums[*w as usize], part));
        T::add(&mut total, &horner::<T>(&sums, class.windows.width));
    }
    Ok(total)
}

fn locked<X>(mutex: &Mutex<X>) -> MutexGuard<'_, X> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// sum of 2^(width w) sums[w]
fn horner<T: Target>(sums: &[T::Sum], width: u32) -> T::Sum {
    sums.iter().rev().fold(T::ZERO, |mut total, sum| {
        (0..width).for_each(|_| T::double(&mut total));
        T::add(&mut total, sum);
        total
    })
}

fn plan(class: &Class, index: usize) -> Vec<Task> {
    let Windows { count, .. } = class.windows;
    let n = class.count(&class.all());
    let threads = rayon::current_num_threads();
    let pieces = (4 * threads).div_ceil(count as usize);
    // What is left when all threads have had as many windows is shared, too.
    let whole = count - count % threads as u32;
    let tasks = |window: u32| {
        let pieces = if window < whole { pieces } else { pieces.max(threads) };
        let step = n.div_ceil(pieces).max(LEAST).max(4 * class.windows.buckets(window)).min(MOST);
        let task = move |parts| Task { class: index, window, entries: class.count(&parts), parts };
        class.ranges(step).into_iter().map(task)
    };
    (0..count).flat_map(tasks).collect()
}
