//! Setup and whole proofs, mixed witness (40 % full-size values) and machine-learning witness (5 %).

#[path = "../tests/common/mod.rs"]
mod common;

use common::Sample;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion};
use zkchain_core::monitor::Silent;
use zkchain_core::pool;
use zkchain_core::system::System;

fn logs() -> Vec<usize> {
    let text = std::env::var("BENCH_LOGS").unwrap_or_else(|_| "14,16".into());
    text.split(',').filter_map(|log| log.trim().parse().ok()).collect()
}

fn prove(c: &mut Criterion) {
    let mut group = c.benchmark_group("groth16");
    group.sample_size(10);
    for log in logs() {
        for (mix, full) in [("mixed", 400), ("ml", 50)] {
            let sample = Sample::mixed(System::Groth16, (1 << log) - 8, full);
            let Ok(Ok(key)) = pool::run(|| sample.setup()) else { continue };
            let values = sample.values(sample.wires.clone());
            let instance = sample.instance();
            group.bench_function(BenchmarkId::new(format!("prove_{mix}"), log), |b| {
                b.iter(|| pool::run(|| key.prove(&values.borrow(), None, &instance, &[0; 32], &Silent)));
            });
        }
        let sample = Sample::mixed(System::Groth16, (1 << log) - 8, 400);
        group.bench_function(BenchmarkId::new("setup", log), |b| b.iter(|| pool::run(|| sample.setup())));
    }
}

criterion_group!(proofs, prove);
criterion_main!(proofs);
