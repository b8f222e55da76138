//! Multi-scalar multiplication: sum of s_i P_i over points as they lie in a key file, one or several point arrays at a
//! time for the same scalars.
//!
//! Scalars come in classes by size. A class with few windows reads its points where they are. One with many windows,
//! each of which reads all its points in the order of its digits, has them copied next to each other first.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;
use rayon::prelude::*;

use super::buckets::{Buffers, Sorted, Tree};
use super::digits::{classes, Class, Scalars, Windows};
use crate::error::Result;
use crate::kernel::curve::point::Point;
use crate::kernel::field::arith::Kernel;
use crate::kernel::{dispatch, KernelId};
use crate::memory::Buffer;
use crate::monitor::Monitor;

/// Entries of one task at most, and at least when a window is split among threads.
const MOST: usize = 1 << 19;
const LEAST: usize = 1 << 13;
/// Point arrays of fewer bytes are not copied.
const LEAST_BYTES: usize = 8 << 20;
/// What is copied at a time: 16 MB of points in G1 are nearer than 64 MB, and it has to be held.
const TOGETHER: usize = 1 << 18;
const TOGETHER_BYTES: usize = 28 << 20;

/// Point arrays that meet the same scalars.
pub trait Target: Sync {
    type Sum: Copy + Send;
    type Points<'b>: Copy + Send + Sync
    where
        Self: 'b;
    /// Points of a class next to each other.
    type Copied: Default + Sync;
    type Buffers<K: Kernel>: Default + Send;
    const ZERO: Self::Sum;
    /// Of a point in each array.
    const BYTES: usize;

    fn points(&self) -> Self::Points<'_>;
    fn copy(&self, class: &Class, copied: &mut Self::Copied);
    fn copied<'b>(copied: &'b Self::Copied) -> Self::Points<'b>
    where
        Self: 'b;
    fn window<K: Kernel>(
        points: Self::Points<'_>,
        sorted: &Sorted,
        buffers: &mut Self::Buffers<K>,
        monitor: &dyn Monitor,
    ) -> Result<Self::Sum>;
    fn add(a: &mut Self::Sum, b: &Self::Sum);
    fn double(a: &mut Self::Sum);
}

impl<P: Point> Target for &[P] {
    type Sum = Projective<P::Curve>;
    type Points<'b>
        = &'b [P]
    where
        Self: 'b;
    type Copied = Buffer<P>;
    type Buffers<K: Kernel> = Buffers<K, P>;
    const ZERO: Self::Sum = Projective::<P::Curve>::ZERO;
    const BYTES: usize = size_of::<P>();

    fn points(&self) -> &[P] {
        self
    }

    fn copy(&self, class: &Class, copied: &mut Buffer<P>) {
        let mut left = copied.resize(class.count(&class.all()));
        let mut work = Vec::new();
        for numbers in class.numbers() {
            let (to, later) = left.split_at_mut(numbers.len());
            work.push((numbers, to));
            left = later;
        }
        work.into_par_iter().for_each(|(numbers, to)| {
            to.iter_mut().zip(numbers).for_each(|(to, number)| *to = self[(number / 2) as usize]);
        });
    }

    fn copied<'b>(copied: &'b Buffer<P>) -> &'b [P]
    where
        Self: 'b,
    {
        copied.values()
    }

    fn window<K: Kernel>(
        points: &[P],
        sorted: &Sorted,
        buffers: &mut Buffers<K, P>,
        monitor: &dyn Monitor,
    ) -> Result<Self::Sum> {
        Tree { monitor, buffers }.weighted_sum(points, sorted)
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
    type Points<'b>
        = (A::Points<'b>, B::Points<'b>)
    where
        Self: 'b;
    type Copied = (A::Copied, B::Copied);
    type Buffers<K: Kernel> = (A::Buffers<K>, B::Buffers<K>);
    const ZERO: Self::Sum = (A::ZERO, B::ZERO);
    const BYTES: usize = A::BYTES + B::BYTES;

    fn points(&self) -> Self::Points<'_> {
        (self.0.points(), self.1.points())
    }

    fn copy(&self, class: &Class, copied: &mut Self::Copied) {
        self.0.copy(class, &mut copied.0);
        self.1.copy(class, &mut copied.1);
    }

    fn copied<'b>(copied: &'b Self::Copied) -> Self::Points<'b>
    where
        Self: 'b,
    {
        (A::copied(&copied.0), B::copied(&copied.1))
    }

    fn window<K: Kernel>(
        points: Self::Points<'_>,
        sorted: &Sorted,
        buffers: &mut Self::Buffers<K>,
        monitor: &dyn Monitor,
    ) -> Result<Self::Sum> {
        let first = A::window::<K>(points.0, sorted, &mut buffers.0, monitor)?;
        Ok((first, B::window::<K>(points.1, sorted, &mut buffers.1, monitor)?))
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

/// sum of scalar i * points[i] for every array of the target; the arrays are at least as long as the scalars, which are
/// at most 2^31. No point may be infinity. Errors: cancelled.
pub fn sum<T: Target>(id: KernelId, target: &T, scalars: &Scalars<'_>, monitor: &dyn Monitor) -> Result<T::Sum> {
    dispatch!(id, K => sum_with::<K, T>(target, scalars, monitor))
}

fn sum_with<K: Kernel, T: Target>(target: &T, scalars: &Scalars<'_>, monitor: &dyn Monitor) -> Result<T::Sum> {
    let worth_while = |class: &Class| class.has_many_windows() && scalars.len() * T::BYTES >= LEAST_BYTES;
    let classes = classes(scalars, TOGETHER.min(TOGETHER_BYTES / T::BYTES));
    let (mut far, near): (Vec<Class>, Vec<Class>) = classes.into_iter().partition(worth_while);
    // Summed beside the first that is copied.
    let mut near = &near[..];
    let mut copied = T::Copied::default();
    let desks = Mutex::new(Vec::new());
    let mut total = T::ZERO;
    loop {
        let mut class = far.pop();
        if let Some(class) = &mut class {
            target.copy(class, &mut copied);
            class.renumber();
        }
        let mut round: Vec<_> = std::mem::take(&mut near).iter().map(|class| (class, target.points())).collect();
        round.extend(class.iter().map(|class| (class, T::copied(&copied))));
        T::add(&mut total, &sum_classes::<K, T>(&round, &desks, monitor)?);
        if far.is_empty() {
            return Ok(total);
        }
    }
}

/// A part of one window of one class.
struct Task {
    class: usize,
    window: u32,
    parts: Range<usize>,
    entries: usize,
}

/// What a thread needs for a task, kept for its next one.
#[derive(Default)]
struct Desk<B> {
    sorted: Sorted,
    buffers: B,
}

/// The sum over all windows of some classes, each with the points that its indices mean.
fn sum_classes<K: Kernel, T: Target>(
    classes: &[(&Class, T::Points<'_>)],
    desks: &Mutex<Vec<Desk<T::Buffers<K>>>>,
    monitor: &dyn Monitor,
) -> Result<T::Sum> {
    let mut tasks: Vec<Task> = classes.iter().enumerate().flat_map(|(i, (class, _))| plan(class, i)).collect();
    // The longest first, so that no thread ends up alone with one.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.entries));
    let run = |task: &Task| {
        monitor.check()?;
        let free = locked(desks).pop();
        let mut desk = free.unwrap_or_default();
        let (class, points) = classes[task.class];
        let (buckets, half) = (class.windows.buckets(task.window), class.windows.half(task.window));
        desk.sorted.sort(buckets, half, class.window(task.parts.clone(), task.window));
        let sum = T::window::<K>(points, &desk.sorted, &mut desk.buffers, monitor)?;
        locked(desks).push(desk);
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
    for (i, (class, _)) in classes.iter().enumerate() {
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
        // Every piece empties all buckets: few entries for each are only worth it for another thread.
        let few = (8 * class.windows.buckets(window)).min(n.div_ceil(threads));
        let step = n.div_ceil(pieces).max(LEAST).max(few).min(MOST);
        let task = move |parts| Task { class: index, window, entries: class.count(&parts), parts };
        class.ranges(step).into_iter().map(task)
    };
    (0..count).flat_map(tasks).collect()
}
