//! Montgomery multiplication and conditional subtractions for aarch64, in instructions that every such processor has.
//!
//! `mul` and `square` are coarsely integrated operand scanning (CIOS: a row of products, then one step of reduction) of
//! C. K. Koc, T. Acar and B. S. Kaliski, "Analyzing and comparing Montgomery multiplication algorithms", IEEE Micro 16,
//! 1996, without the word for a carry that p's two free top bits make superfluous: G. Botrel and Y. El Housni, "EdMSM:
//! multi-scalar-multiplication for SNARKs and faster Montgomery multiplication", eprint 2022/1400, algorithm 2. There
//! is one carry flag, so low words and high words of a row are two chains, one after the other. The lowest word of a
//! reduction is known: t0 + lo(m p0) = 0 mod 2^64, and it carries when t0 is not 0, which a comparison says without the
//! product.
//!
//! Written in assembly because compilers keep no carry flag from one row to the next: they make words of carries. The
//! conditional operations are because compilers turn masks into jumps, as in `x86`.

use std::arch::asm;

use super::modulus::{Limbs, Modulus};

/// p and -1/p mod 2^64 into registers.
macro_rules! load_modulus {
    () => {
        concat!("ldp {p0}, {p1}, [{p}]\n", "ldp {p2}, {p3}, [{p}, 16]\n", "ldr {inv}, [{p}, 32]\n")
    };
}

/// (hi, t3 .. t0) = a (x3 .. x0)
#[rustfmt::skip] // one instruction a line
macro_rules! first_row {
    ($a:literal, $x0:literal, $x1:literal, $x2:literal, $x3:literal) => {
        concat!(
            "mul {t0}, ", $a, ", ", $x0, "\n",
            "umulh {t1}, ", $a, ", ", $x0, "\n",
            "mul {l1}, ", $a, ", ", $x1, "\n",
            "umulh {t2}, ", $a, ", ", $x1, "\n",
            "mul {l2}, ", $a, ", ", $x2, "\n",
            "umulh {t3}, ", $a, ", ", $x2, "\n",
            "mul {l3}, ", $a, ", ", $x3, "\n",
            "umulh {hi}, ", $a, ", ", $x3, "\n",
            "adds {t1}, {t1}, {l1}\n",
            "adcs {t2}, {t2}, {l2}\n",
            "adcs {t3}, {t3}, {l3}\n",
            "adc {hi}, {hi}, xzr\n",
        )
    };
}

/// (hi, t3 .. t0) = (t3 .. t0) + (a3 .. a0) b
#[rustfmt::skip]
macro_rules! row {
    ($b:literal) => {
        concat!(
            "mul {l0}, {a0}, ", $b, "\n",
            "mul {l1}, {a1}, ", $b, "\n",
            "mul {l2}, {a2}, ", $b, "\n",
            "mul {l3}, {a3}, ", $b, "\n",
            "adds {t0}, {t0}, {l0}\n",
            "umulh {l0}, {a0}, ", $b, "\n",
            "adcs {t1}, {t1}, {l1}\n",
            "umulh {l1}, {a1}, ", $b, "\n",
            "adcs {t2}, {t2}, {l2}\n",
            "umulh {l2}, {a2}, ", $b, "\n",
            "adcs {t3}, {t3}, {l3}\n",
            "umulh {l3}, {a3}, ", $b, "\n",
            "adc {hi}, xzr, xzr\n",
            "adds {t1}, {t1}, {l0}\n",
            "adcs {t2}, {t2}, {l1}\n",
            "adcs {t3}, {t3}, {l2}\n",
            "adc {hi}, {hi}, {l3}\n",
        )
    };
}

/// (t3 .. t0) = ((hi, t3 .. t0) + m p) / 2^64, with m = -t0 / p mod 2^64
macro_rules! reduce {
    () => {
        concat!(
            "mul {l0}, {t0}, {inv}\n",
            "cmp {t0}, 1\n", // the carry out of t0 + lo(m p0): t0 >= 1
            "mul {l1}, {l0}, {p1}\n",
            "mul {l2}, {l0}, {p2}\n",
            "mul {l3}, {l0}, {p3}\n",
            "umulh {t0}, {l0}, {p0}\n",
            "adcs {t1}, {t1}, {l1}\n",
            "umulh {l1}, {l0}, {p1}\n",
            "adcs {t2}, {t2}, {l2}\n",
            "umulh {l2}, {l0}, {p2}\n",
            "adcs {t3}, {t3}, {l3}\n",
            "umulh {l3}, {l0}, {p3}\n",
            "adc {hi}, {hi}, xzr\n",
            "adds {t0}, {t1}, {t0}\n",
            "adcs {t1}, {t2}, {l1}\n",
            "adcs {t2}, {t3}, {l2}\n",
            "adc {t3}, {hi}, {l3}\n",
        )
    };
}

/// a b / 2^256 mod p, with the bounds of `portable::mul`: a <= 4p, b < 2^256, output below a b / 2^256 + p.
#[inline(always)]
pub fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    let (t0, t1, t2, t3): (u64, u64, u64, u64);
    // SAFETY: reads 40 bytes behind the modulus; writes only the registers named.
    unsafe {
        asm!(
            load_modulus!(),
            first_row!("{b0}", "{a0}", "{a1}", "{a2}", "{a3}"), reduce!(),
            row!("{b1}"), reduce!(),
            row!("{b2}"), reduce!(),
            row!("{b3}"), reduce!(),
            a0 = in(reg) a[0],
            a1 = in(reg) a[1],
            a2 = in(reg) a[2],
            a3 = in(reg) a[3],
            b0 = in(reg) b[0],
            b1 = in(reg) b[1],
            b2 = in(reg) b[2],
            b3 = in(reg) b[3],
            p = in(reg) M::P_AND_INVERSE.as_ptr(),
            p0 = out(reg) _,
            p1 = out(reg) _,
            p2 = out(reg) _,
            p3 = out(reg) _,
            inv = out(reg) _,
            l0 = out(reg) _,
            l1 = out(reg) _,
            l2 = out(reg) _,
            l3 = out(reg) _,
            hi = out(reg) _,
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// a^2 / 2^256 mod p. Input: a <= 2p. Output: below a^2 / 2^256 + p, so at most 2p.
///
/// Row i is a_i (a_i + 2 (a_(i+1), ..)), from word 2i on: a product of two different limbs is made once, with one of
/// them doubled. The first i rows are at most 2 a (a mod 2^(64 i)), so that what is left of them after i reductions is
/// below 2a + p <= 5p < 2^256: four words, as in `mul`.
#[inline(always)]
pub fn square<M: Modulus>(a: &Limbs) -> Limbs {
    let (t0, t1, t2, t3): (u64, u64, u64, u64);
    // SAFETY: reads 40 bytes behind the modulus; writes only the registers named.
    unsafe {
        asm!(
            load_modulus!(),
            // (d3, d2, d1) = 2 (a3, a2, a1), one word shorter than 2a
            "lsl {d1}, {a1}, 1",
            "extr {d2}, {a2}, {a1}, 63",
            "extr {d3}, {a3}, {a2}, 63",
            first_row!("{a0}", "{a0}", "{d1}", "{d2}", "{d3}"),
            reduce!(),
            // (hi, t3 .. t1) += a1 (d3, 2 a2, a1)
            "lsl {d2}, {a2}, 1",
            "mul {l1}, {a1}, {a1}",
            "mul {l2}, {a1}, {d2}",
            "mul {l3}, {a1}, {d3}",
            "adds {t1}, {t1}, {l1}",
            "umulh {l1}, {a1}, {a1}",
            "adcs {t2}, {t2}, {l2}",
            "umulh {l2}, {a1}, {d2}",
            "adcs {t3}, {t3}, {l3}",
            "umulh {l3}, {a1}, {d3}",
            "adc {hi}, xzr, xzr",
            "adds {t2}, {t2}, {l1}",
            "adcs {t3}, {t3}, {l2}",
            "adc {hi}, {hi}, {l3}",
            reduce!(),
            // (hi, t3, t2) += a2 (2 a3, a2)
            "lsl {d3}, {a3}, 1",
            "mul {l2}, {a2}, {a2}",
            "mul {l3}, {a2}, {d3}",
            "umulh {l0}, {a2}, {a2}",
            "umulh {hi}, {a2}, {d3}",
            "adds {l3}, {l3}, {l0}",
            "adc {hi}, {hi}, xzr",
            "adds {t2}, {t2}, {l2}",
            "adcs {t3}, {t3}, {l3}",
            "adc {hi}, {hi}, xzr",
            reduce!(),
            // (hi, t3) += a3 a3
            "mul {l3}, {a3}, {a3}",
            "umulh {hi}, {a3}, {a3}",
            "adds {t3}, {t3}, {l3}",
            "adc {hi}, {hi}, xzr",
            reduce!(),
            a0 = in(reg) a[0],
            a1 = in(reg) a[1],
            a2 = in(reg) a[2],
            a3 = in(reg) a[3],
            d1 = out(reg) _,
            d2 = out(reg) _,
            d3 = out(reg) _,
            p = in(reg) M::P_AND_INVERSE.as_ptr(),
            p0 = out(reg) _,
            p1 = out(reg) _,
            p2 = out(reg) _,
            p3 = out(reg) _,
            inv = out(reg) _,
            l0 = out(reg) _,
            l1 = out(reg) _,
            l2 = out(reg) _,
            l3 = out(reg) _,
            hi = out(reg) _,
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// a when the flag is set, else b.
#[inline(always)]
pub fn choose(flag: bool, a: &Limbs, b: &Limbs) -> Limbs {
    let [mut c0, mut c1, mut c2, mut c3] = *b;
    // SAFETY: writes only the registers named.
    unsafe {
        asm!(
            "cmp {flag:w}, 0",
            "csel {c0}, {a0}, {c0}, ne",
            "csel {c1}, {a1}, {c1}, ne",
            "csel {c2}, {a2}, {c2}, ne",
            "csel {c3}, {a3}, {c3}, ne",
            flag = in(reg) u32::from(flag),
            a0 = in(reg) a[0],
            a1 = in(reg) a[1],
            a2 = in(reg) a[2],
            a3 = in(reg) a[3],
            c0 = inout(reg) c0,
            c1 = inout(reg) c1,
            c2 = inout(reg) c2,
            c3 = inout(reg) c3,
            options(pure, nomem, nostack),
        );
    }
    [c0, c1, c2, c3]
}

/// a - b when a >= b, else a.
#[inline(always)]
pub fn reduce_once(a: &Limbs, b: &Limbs) -> Limbs {
    let [mut a0, mut a1, mut a2, mut a3] = *a;
    // SAFETY: reads 32 bytes behind `b`; writes only the registers named.
    unsafe {
        asm!(
            "ldp {d0}, {d1}, [{b}]",
            "ldp {d2}, {d3}, [{b}, 16]",
            "subs {d0}, {a0}, {d0}",
            "sbcs {d1}, {a1}, {d1}",
            "sbcs {d2}, {a2}, {d2}",
            "sbcs {d3}, {a3}, {d3}",
            "csel {a0}, {d0}, {a0}, hs",
            "csel {a1}, {d1}, {a1}, hs",
            "csel {a2}, {d2}, {a2}, hs",
            "csel {a3}, {d3}, {a3}, hs",
            b = in(reg) b.as_ptr(),
            a0 = inout(reg) a0,
            a1 = inout(reg) a1,
            a2 = inout(reg) a2,
            a3 = inout(reg) a3,
            d0 = out(reg) _,
            d1 = out(reg) _,
            d2 = out(reg) _,
            d3 = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    [a0, a1, a2, a3]
}

/// a - b, plus m when that borrows.
#[inline(always)]
pub fn sub_or_add(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
    let [mut d0, mut d1, mut d2, mut d3] = *a;
    // SAFETY: reads 32 bytes behind `m`; writes only the registers named.
    unsafe {
        asm!(
            "ldp {m0}, {m1}, [{m}]",
            "ldp {m2}, {m3}, [{m}, 16]",
            "subs {d0}, {d0}, {b0}",
            "sbcs {d1}, {d1}, {b1}",
            "sbcs {d2}, {d2}, {b2}",
            "sbcs {d3}, {d3}, {b3}",
            "csel {m0}, {m0}, xzr, lo",
            "csel {m1}, {m1}, xzr, lo",
            "csel {m2}, {m2}, xzr, lo",
            "csel {m3}, {m3}, xzr, lo",
            "adds {d0}, {d0}, {m0}",
            "adcs {d1}, {d1}, {m1}",
            "adcs {d2}, {d2}, {m2}",
            "adc {d3}, {d3}, {m3}",
            m = in(reg) m.as_ptr(),
            b0 = in(reg) b[0],
            b1 = in(reg) b[1],
            b2 = in(reg) b[2],
            b3 = in(reg) b[3],
            d0 = inout(reg) d0,
            d1 = inout(reg) d1,
            d2 = inout(reg) d2,
            d3 = inout(reg) d3,
            m0 = out(reg) _,
            m1 = out(reg) _,
            m2 = out(reg) _,
            m3 = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    [d0, d1, d2, d3]
}

/// m - x mod 2^256 when the flag is set, else x.
#[inline(always)]
pub fn negate_if(flag: bool, x: &Limbs, m: &Limbs) -> Limbs {
    let [mut x0, mut x1, mut x2, mut x3] = *x;
    // SAFETY: reads 32 bytes behind `m`; writes only the registers named.
    unsafe {
        asm!(
            "ldp {d0}, {d1}, [{m}]",
            "ldp {d2}, {d3}, [{m}, 16]",
            "subs {d0}, {d0}, {x0}",
            "sbcs {d1}, {d1}, {x1}",
            "sbcs {d2}, {d2}, {x2}",
            "sbc {d3}, {d3}, {x3}",
            "cmp {flag:w}, 0",
            "csel {x0}, {d0}, {x0}, ne",
            "csel {x1}, {d1}, {x1}, ne",
            "csel {x2}, {d2}, {x2}, ne",
            "csel {x3}, {d3}, {x3}, ne",
            flag = in(reg) u32::from(flag),
            m = in(reg) m.as_ptr(),
            x0 = inout(reg) x0,
            x1 = inout(reg) x1,
            x2 = inout(reg) x2,
            x3 = inout(reg) x3,
            d0 = out(reg) _,
            d1 = out(reg) _,
            d2 = out(reg) _,
            d3 = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    [x0, x1, x2, x3]
}

/// (a + b, a - b + m) mod 2^256.
#[inline(always)]
pub fn add_and_sub(a: &Limbs, b: &Limbs, m: &Limbs) -> (Limbs, Limbs) {
    let [mut a0, mut a1, mut a2, mut a3] = *a;
    let (d0, d1, d2, d3): (u64, u64, u64, u64);
    // SAFETY: reads 32 bytes behind `m`; writes only the registers named.
    unsafe {
        asm!(
            "ldp {d0}, {d1}, [{m}]",
            "ldp {d2}, {d3}, [{m}, 16]",
            "adds {d0}, {d0}, {a0}",
            "adcs {d1}, {d1}, {a1}",
            "adcs {d2}, {d2}, {a2}",
            "adc {d3}, {d3}, {a3}",
            "subs {d0}, {d0}, {b0}",
            "sbcs {d1}, {d1}, {b1}",
            "sbcs {d2}, {d2}, {b2}",
            "sbc {d3}, {d3}, {b3}",
            "adds {a0}, {a0}, {b0}",
            "adcs {a1}, {a1}, {b1}",
            "adcs {a2}, {a2}, {b2}",
            "adc {a3}, {a3}, {b3}",
            m = in(reg) m.as_ptr(),
            b0 = in(reg) b[0],
            b1 = in(reg) b[1],
            b2 = in(reg) b[2],
            b3 = in(reg) b[3],
            a0 = inout(reg) a0,
            a1 = inout(reg) a1,
            a2 = inout(reg) a2,
            a3 = inout(reg) a3,
            d0 = out(reg) d0,
            d1 = out(reg) d1,
            d2 = out(reg) d2,
            d3 = out(reg) d3,
            options(pure, readonly, nostack),
        );
    }
    ([a0, a1, a2, a3], [d0, d1, d2, d3])
}
