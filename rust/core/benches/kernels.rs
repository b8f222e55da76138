//! Transforms and multi-scalar multiplications at 2^14 and 2^16 (`BENCH_LOGS=18,20` for others).

#[path = "../tests/common/mod.rs"]
mod common;

use common::Sequence;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use zkchain_core::kernel::curve::{Curve, G1Affine, G2Affine, G1, G2};
use zkchain_core::kernel::fft::Domain;
use zkchain_core::kernel::field::measure::multiply;
use zkchain_core::kernel::field::Fr;
use zkchain_core::kernel::msm::fixed_base::{FixedBase, BATCH};
use zkchain_core::kernel::msm::msm;
use zkchain_core::kernel::KernelId;
use zkchain_core::monitor::Silent;
use zkchain_core::pool;

use ark_ec::short_weierstrass::Affine;
use ark_ec::AffineRepr;

fn logs() -> Vec<usize> {
    let text = std::env::var("BENCH_LOGS").unwrap_or_else(|_| "14,16".into());
    text.split(',').filter_map(|log| log.trim().parse().ok()).collect()
}

/// Scalars of which `full` per mille are full-size and the rest have 16 bits.
fn scalars(count: usize, full: usize) -> Vec<Fr> {
    let mut random = Sequence::new(1);
    let mut one = || if random.below(1000) < full { random.scalar() } else { Fr::from(random.word() >> 48) };
    (0..count).map(|_| one()).collect()
}

fn points<C: Curve>(base: Affine<C>, count: usize) -> Vec<C::Stored> {
    let table = FixedBase::<C>::new(base, count);
    let multiples = scalars(count, 1000);
    multiples.chunks(BATCH).flat_map(|chunk| table.multiply(chunk)).map(|p| C::store(&p)).collect()
}

fn bench_msm<C: Curve>(c: &mut Criterion, name: &str, base: Affine<C>) {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    for log in logs() {
        let points = points::<C>(base, 1 << log);
        group.throughput(Throughput::Elements(1 << log));
        for (mix, full) in [("full", 1000), ("mixed", 400), ("ml", 50)] {
            let scalars = scalars(1 << log, full);
            group.bench_function(BenchmarkId::new(mix, log), |b| {
                b.iter(|| pool::run(|| msm::<C>(&points, &scalars, &Silent)));
            });
        }
    }
}

fn msm_g1(c: &mut Criterion) {
    bench_msm::<G1>(c, "msm_g1", G1Affine::generator());
}

fn msm_g2(c: &mut Criterion) {
    bench_msm::<G2>(c, "msm_g2", G2Affine::generator());
}

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("ntt");
    group.sample_size(10);
    for log in logs() {
        let Ok(domain) = Domain::new(1 << log) else { continue };
        let mut values = scalars(1 << log, 1000);
        group.throughput(Throughput::Elements(1 << log));
        group.bench_function(BenchmarkId::new("extend", log), |b| {
            b.iter(|| pool::run(|| domain.extend(&mut values)));
        });
    }
}

/// A multiplication in Fp by each kernel of this machine: the unit in which the others can be counted.
fn multiplication(c: &mut Criterion) {
    let mut group = c.benchmark_group("fp_mul");
    for id in KernelId::all().into_iter().filter(|id| id.name() != "emulated") {
        group.throughput(Throughput::Elements(multiply(id, 1000) as u64));
        group.bench_function(id.name(), |b| b.iter(|| multiply(id, 1000)));
    }
}

criterion_group!(kernels, multiplication, transforms, msm_g1, msm_g2);
criterion_main!(kernels);
