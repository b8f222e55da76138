//! The sum of s_i P_i over points as they lie in a key file, for one or several arrays of points and the same scalars.
//!
//! The bucket method of Pippenger, "On the evaluation of powers and related problems", FOCS 1976, as described in
//! Bernstein, Doumen, Lange and Oosterwijk, "Faster batch forgery identification", eprint 2012/549, section 4. With the
//! signed digits d_iw of s_i = sum_w 2^(width w) d_iw the result is sum_w 2^(width w) (sum_i d_iw P_i): the windows w
//! are independent tasks, whose results Horner's rule puts together.
//!
//! Scalars come in classes by size. A class with few windows reads its points where they are. For one with many windows
//! the points are first copied next to each other, because every window reads all of them in the order of its digits.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use ark_ec::short_weierstrass::Projective;
use ark_ff::AdditiveGroup;

use super::buckets::{Buffers, Tree};
use super::digits::{classes, Class, Scalars, Windows};
use super::sort::Sorted;
use crate::error::Result;
use crate::kernel::curve::point::Point;
use crate::kernel::field::arith::Kernel;
use crate::kernel::{dispatch, KernelId};
use crate::memory::collect_into;
use crate::monitor::Monitor;

/// The most entries of one task, and the fewest when a window is split among threads.
const MAX_TASK: usize = 1 << 19;
const MIN_TASK: usize = 1 << 13;
/// Arrays of fewer bytes are not copied: they are near enough.
const MIN_COPIED_BYTES: usize = 8 << 20;
/// The points that are copied at a time. 2^18 points of G1 are 16 MB: few enough for locality in the cache, and for the
/// bound on memory, which the copy counts towards.
const MAX_COPIED: usize = 1 << 18;
const MAX_COPIED_BYTES: usize = 28 << 20;

/// Arrays of points that the same scalars multiply: a slice, or a pair of targets.
pub trait Target: Sync {
    type Sum: Copy + Send;
    type Points<'b>: Copy + Send + Sync
    where
        Self: 'b;
    /// The points of a class next to each other.
    type Copied: Default + Sync;
    type Buffers<K: Kernel>: Default + Send;
    const ZERO: Self::Sum;
    /// The bytes of one point of each array.
    const BYTES: usize;

    fn points(&self) -> Self::Points<'_>;
    /// Copies the points of a class, in the order of its scalars.
    fn copy(&self, class: &Class, copied: &mut Self::Copied);
    fn copied<'b>(copied: &'b Self::Copied) -> Self::Points<'b>
    where
        Self: 'b;
    /// The weighted sum of one window.
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
    type Copied = Vec<P>;
    type Buffers<K: Kernel> = Buffers<K, P>;
    const ZERO: Self::Sum = Projective::<P::Curve>::ZERO;
    const BYTES: usize = size_of::<P>();

    fn points(&self) -> &[P] {
        self
    }

    fn copy(&self, class: &Class, copied: &mut Vec<P>) {
        let numbers = class.numbers();
        collect_into(copied, numbers.len(), |i| self[(numbers[i] / 2) as usize]);
    }

    fn copied<'b>(copied: &'b Vec<P>) -> &'b [P]
    where
        Self: 'b,
    {
        copied
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

/// The sum of scalar i * points[i] for every array of the target. The arrays are at least as long as the scalars, of
/// which there are at most 2^31. No point may be infinity. Errors: cancelled.
pub fn sum<T: Target>(id: KernelId, target: &T, scalars: &Scalars<'_>, monitor: &dyn Monitor) -> Result<T::Sum> {
    dispatch!(id, K => sum_with::<K, T>(target, scalars, monitor))
}

fn sum_with<K: Kernel, T: Target>(target: &T, scalars: &Scalars<'_>, monitor: &dyn Monitor) -> Result<T::Sum> {
    let worth_copying = |class: &Class| class.has_many_windows() && scalars.len() * T::BYTES >= MIN_COPIED_BYTES;
    let classes = classes(scalars, MAX_COPIED.min(MAX_COPIED_BYTES / T::BYTES));
    let (mut to_copy, in_place): (Vec<Class>, Vec<Class>) = classes.into_iter().partition(worth_copying);
    // One class is copied per round; those that are read in place are summed in the first one, beside it.
    let mut in_place = &in_place[..];
    let mut copied = T::Copied::default();
    let workspaces = Mutex::new(Vec::new());
    let mut total = T::ZERO;
    loop {
        let mut class = to_copy.pop();
        if let Some(class) = &mut class {
            target.copy(class, &mut copied);
            class.renumber();
        }
        let mut round: Vec<_> = std::mem::take(&mut in_place).iter().map(|class| (class, target.points())).collect();
        round.extend(class.iter().map(|class| (class, T::copied(&copied))));
        T::add(&mut total, &sum_classes::<K, T>(&round, &workspaces, monitor)?);
        if to_copy.is_empty() {
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

/// The buffers of one task, used again for the next one.
#[derive(Default)]
struct Workspace<B> {
    sorted: Sorted,
    buffers: B,
}

/// The sum over all windows of some classes, each given with the points that its indices refer to.
fn sum_classes<K: Kernel, T: Target>(
    classes: &[(&Class, T::Points<'_>)],
    workspaces: &Mutex<Vec<Workspace<T::Buffers<K>>>>,
    monitor: &dyn Monitor,
) -> Result<T::Sum> {
    let mut tasks: Vec<Task> = classes.iter().enumerate().flat_map(|(i, (class, _))| plan(class, i)).collect();
    // The longest first, so that no thread is left with a long one when the others have finished.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.entries));
    let run = |task: &Task| {
        monitor.check()?;
        let free = locked(workspaces).pop();
        let mut workspace = free.unwrap_or_default();
        let (class, points) = classes[task.class];
        let (buckets, half) = (class.windows.buckets(task.window), class.windows.half(task.window));
        workspace.sorted.sort(buckets, half, class.window(task.parts.clone(), task.window));
        let sum = T::window::<K>(points, &workspace.sorted, &mut workspace.buffers, monitor)?;
        locked(workspaces).push(workspace);
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

/// The sum of 2^(width w) sums[w].
fn horner<T: Target>(sums: &[T::Sum], width: u32) -> T::Sum {
    sums.iter().rev().fold(T::ZERO, |mut total, sum| {
        (0..width).for_each(|_| T::double(&mut total));
        T::add(&mut total, sum);
        total
    })
}

/// The tasks of a class: parts of each of its windows.
fn plan(class: &Class, index: usize) -> Vec<Task> {
    let Windows { count, .. } = class.windows;
    let n = class.count(&class.all());
    let threads = rayon::current_num_threads();
    let pieces = (4 * threads).div_ceil(count as usize);
    // When every thread has had as many windows as the others, those that are left are shared by all of them.
    let whole = count - count % threads as u32;
    let tasks = |window: u32| {
        let pieces = if window < whole { pieces } else { pieces.max(threads) };
        // Every piece empties all buckets, so fewer than eight entries per bucket only pay if a thread would else be
        // idle.
        let few = (8 * class.windows.buckets(window)).min(n.div_ceil(threads));
        let step = n.div_ceil(pieces).max(MIN_TASK).max(few).min(MAX_TASK);
        let task = move |parts| Task { class: index, window, entries: class.count(&parts), parts };
        class.ranges(step).into_iter().map(task)
    };
    (0..count).flat_map(tasks).collect()
}
