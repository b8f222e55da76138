//! Conditional additions and subtractions without branches, in instructions that every x86-64 has.
//!
//! Written in assembly because compilers turn masks into jumps. Whether a difference of field elements borrows is a
//! coin toss, so every second jump would be mispredicted.

use std::arch::asm;

use super::modulus::Limbs;

/// a when the flag is set, else b.
#[inline(always)]
pub fn choose(flag: bool, a: &Limbs, b: &Limbs) -> Limbs {
    let [mut c0, mut c1, mut c2, mut c3] = *b;
    // SAFETY: reads 32 bytes behind `a`; writes only the registers named.
    unsafe {
        asm!(
            "test {flag:e}, {flag:e}",
            "cmovnz {c0}, [{a}]",
            "cmovnz {c1}, [{a} + 8]",
            "cmovnz {c2}, [{a} + 16]",
            "cmovnz {c3}, [{a} + 24]",
            flag = in(reg) u32::from(flag),
            a = in(reg) a.as_ptr(),
            c0 = inout(reg) c0,
            c1 = inout(reg) c1,
            c2 = inout(reg) c2,
            c3 = inout(reg) c3,
            options(pure, readonly, nostack),
        );
    }
    [c0, c1, c2, c3]
}

/// a - b when a >= b, else a.
#[inline(always)]
pub fn reduce_once(a: &Limbs, b: &Limbs) -> Limbs {
    let [mut d0, mut d1, mut d2, mut d3] = *a;
    // SAFETY: reads 32 bytes behind `b`; writes only the registers named.
    unsafe {
        asm!(
            "sub {d0}, [{b}]",
            "sbb {d1}, [{b} + 8]",
            "sbb {d2}, [{b} + 16]",
            "sbb {d3}, [{b} + 24]",
            "cmovc {d0}, {a0}",
            "cmovc {d1}, {a1}",
            "cmovc {d2}, {a2}",
            "cmovc {d3}, {a3}",
            b = in(reg) b.as_ptr(),
            a0 = in(reg) a[0],
            a1 = in(reg) a[1],
            a2 = in(reg) a[2],
            a3 = in(reg) a[3],
            d0 = inout(reg) d0,
            d1 = inout(reg) d1,
            d2 = inout(reg) d2,
            d3 = inout(reg) d3,
            options(pure, readonly, nostack),
        );
    }
    [d0, d1, d2, d3]
}

/// a - b, plus m when that borrows.
#[inline(always)]
pub fn sub_or_add(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
    let [mut d0, mut d1, mut d2, mut d3] = *a;
    // SAFETY: reads 32 bytes behind `b` and `m`; writes only the registers named.
    unsafe {
        asm!(
            "sub {d0}, [{b}]",
            "sbb {d1}, [{b} + 8]",
            "sbb {d2}, [{b} + 16]",
            "sbb {d3}, [{b} + 24]",
            "sbb {t3}, {t3}",
            "mov {t0}, [{m}]",
            "mov {t1}, [{m} + 8]",
            "mov {t2}, [{m} + 16]",
            "and {t0}, {t3}",
            "and {t1}, {t3}",
            "and {t2}, {t3}",
            "and {t3}, [{m} + 24]",
            "add {d0}, {t0}",
            "adc {d1}, {t1}",
            "adc {d2}, {t2}",
            "adc {d3}, {t3}",
            b = in(reg) b.as_ptr(),
            m = in(reg) m.as_ptr(),
            d0 = inout(reg) d0,
            d1 = inout(reg) d1,
            d2 = inout(reg) d2,
            d3 = inout(reg) d3,
            t0 = out(reg) _,
            t1 = out(reg) _,
            t2 = out(reg) _,
            t3 = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    [d0, d1, d2, d3]
}
