//! Montgomery multiplication with mulx, adcx and adox: two carry chains at once, which no compiler emits.
//!
//! The instructions and their use are described in E. Ozturk, J. Guilford and V. Gopal, "New instructions supporting
//! large integer arithmetic on Intel architecture processors", Intel, 2012. In the terms of C. K. Koc, T. Acar and B.
//! S. Kaliski, "Analyzing and comparing Montgomery multiplication algorithms", IEEE Micro 16, 1996, `mul` is coarsely
//! integrated operand scanning (CIOS: a row of products, then one step of reduction), `square` is separated operand
//! scanning (SOS: the whole square, then all steps), because only a whole square can double its mixed products at once.

use std::arch::asm;

use super::modulus::{Limbs, Modulus};

/// True when this machine has the instructions.
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("bmi2") && std::arch::is_x86_feature_detected!("adx")
}

/// (hi, t3, t2, t1, t0) = a * b[0]
macro_rules! first_row {
    () => {
        concat!(
            "mov rdx, [{b}]\n",
            "mulx {t1}, {t0}, [{a}]\n",
            "xor {c:e}, {c:e}\n",
            "mulx {t2}, rax, [{a} + 8]\n",
            "adcx {t1}, rax\n",
            "mulx {t3}, rax, [{a} + 16]\n",
            "adcx {t2}, rax\n",
            "mulx {hi}, rax, [{a} + 24]\n",
            "adcx {t3}, rax\n",
            "adcx {hi}, {c}\n",
        )
    };
}

/// (hi, t3 .. t0) = (t3 .. t0) + a * b[offset / 8]
macro_rules! row {
    ($offset:literal) => {
        concat!(
            "mov rdx, [{b} + ",
            $offset,
            "]\n",
            "xor {c:e}, {c:e}\n",
            "mulx {hi}, rax, [{a}]\n",
            "adox {t0}, rax\n",
            "adcx {t1}, {hi}\n",
            "mulx {hi}, rax, [{a} + 8]\n",
            "adox {t1}, rax\n",
            "adcx {t2}, {hi}\n",
            "mulx {hi}, rax, [{a} + 16]\n",
            "adox {t2}, rax\n",
            "adcx {t3}, {hi}\n",
            "mulx {hi}, rax, [{a} + 24]\n",
            "adox {t3}, rax\n",
            "adcx {hi}, {c}\n",
            "adox {hi}, {c}\n",
        )
    };
}

/// (t3 .. t0) = ((hi, t3 .. t0) + m p) / 2^64, with m = -t0 / p mod 2^64
macro_rules! reduce {
    () => {
        concat!(
            "mov rdx, {inv}\n",
            "imul rdx, {t0}\n",
            "xor eax, eax\n",
            "mulx {c}, rax, [{p}]\n",
            "adcx rax, {t0}\n",
            "mov {t0}, {c}\n",
            "adcx {t0}, {t1}\n",
            "mulx {t1}, rax, [{p} + 8]\n",
            "adox {t0}, rax\n",
            "adcx {t1}, {t2}\n",
            "mulx {t2}, rax, [{p} + 16]\n",
            "adox {t1}, rax\n",
            "adcx {t2}, {t3}\n",
            "mulx {t3}, rax, [{p} + 24]\n",
            "mov edx, 0\n",
            "adox {t2}, rax\n",
            "adcx {t3}, rdx\n",
            "adox {t3}, {hi}\n",
        )
    };
}

/// a b / 2^256 mod p, with the bounds of `portable::mul`: a <= 4p, b < 2^256, output below a b / 2^256 + p.
///
/// # Safety
/// The machine must have BMI2 and ADX (`available`).
#[inline(always)]
pub unsafe fn mul<M: Modulus>(a: &Limbs, b: &Limbs) -> Limbs {
    let (t0, t1, t2, t3): (u64, u64, u64, u64);
    // SAFETY: reads 32 bytes behind each of three references; writes only the registers named.
    unsafe {
        asm!(
            first_row!(), reduce!(),
            row!("8"), reduce!(),
            row!("16"), reduce!(),
            row!("24"), reduce!(),
            a = in(reg) a.as_ptr(),
            b = in(reg) b.as_ptr(),
            p = in(reg) M::P_AND_INVERSE.as_ptr(),
            inv = in(reg) M::NEG_INVERSE,
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            hi = out(reg) _,
            c = out(reg) _,
            out("rax") _,
            out("rdx") _,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// (r7 .. r0) = a^2: the products of different limbs, doubled, and the squares of limbs.
macro_rules! square_wide {
    () => {
        concat!(
            "mov rdx, [{a}]\n",
            "mulx {r2}, {r1}, [{a} + 8]\n",
            "mulx {r3}, rax, [{a} + 16]\n",
            "add {r2}, rax\n",
            "mulx {r4}, rax, [{a} + 24]\n",
            "adc {r3}, rax\n",
            "adc {r4}, 0\n",
            "mov rdx, [{a} + 8]\n",
            "xor {r5:e}, {r5:e}\n",
            "mulx {c}, rax, [{a} + 16]\n",
            "adcx {r3}, rax\n",
            "adox {r4}, {c}\n",
            "mulx {c}, rax, [{a} + 24]\n",
            "adcx {r4}, rax\n",
            "adox {r5}, {c}\n",
            "mov rdx, [{a} + 16]\n",
            "mulx {r6}, rax, [{a} + 24]\n",
            "adcx {r5}, rax\n",
            "adc {r6}, 0\n",
            "xor {r7:e}, {r7:e}\n",
            "mov rdx, [{a}]\n",
            "mulx {c}, {r0}, rdx\n",
            "adcx {r1}, {r1}\n",
            "adox {r1}, {c}\n",
            "mov rdx, [{a} + 8]\n",
            "mulx {c}, rax, rdx\n",
            "adcx {r2}, {r2}\n",
            "adox {r2}, rax\n",
            "adcx {r3}, {r3}\n",
            "adox {r3}, {c}\n",
            "mov rdx, [{a} + 16]\n",
            "mulx {c}, rax, rdx\n",
            "adcx {r4}, {r4}\n",
            "adox {r4}, rax\n",
            "adcx {r5}, {r5}\n",
            "adox {r5}, {c}\n",
            "mov rdx, [{a} + 24]\n",
            "mulx {c}, rax, rdx\n",
            "adcx {r6}, {r6}\n",
            "adox {r6}, rax\n",
            "adcx {r7}, {r7}\n",
            "adox {r7}, {c}\n",
        )
    };
}

/// ($r0, $r3, $r2, $r1) = (($r3, $r2, $r1, $r0) + m p) / 2^64, with m = -$r0 / p mod 2^64
macro_rules! reduce_wide {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal) => {
        concat!(
            "mov rdx, [{p} + 32]\n",
            "imul rdx, ",
            $r0,
            "\n",
            "xor eax, eax\n",
            "mulx {c}, rax, [{p}]\n",
            "adcx ",
            $r0,
            ", rax\n",
            "adox ",
            $r1,
            ", {c}\n",
            "mulx {c}, rax, [{p} + 8]\n",
            "adcx ",
            $r1,
            ", rax\n",
            "adox ",
            $r2,
            ", {c}\n",
            "mulx {c}, rax, [{p} + 16]\n",
            "adcx ",
            $r2,
            ", rax\n",
            "adox ",
            $r3,
            ", {c}\n",
            "mulx ",
            $r0,
            ", rax, [{p} + 24]\n",
            "mov edx, 0\n",
            "adcx ",
            $r3,
            ", rax\n",
            "adox ",
            $r0,
            ", rdx\n",
            "adcx ",
            $r0,
            ", rdx\n",
        )
    };
}

/// a^2 / 2^256 mod p. Input: a <= 2p. Output: below a^2 / 2^256 + p, so at most 2p.
///
/// # Safety
/// The machine must have BMI2 and ADX (`available`).
#[inline(always)]
pub unsafe fn square<M: Modulus>(a: &Limbs) -> Limbs {
    let (t0, t1, t2, t3): (u64, u64, u64, u64);
    // SAFETY: reads 32 bytes behind `a` and 40 behind the modulus; writes only the registers named.
    unsafe {
        asm!(
            square_wide!(),
            // Each step leaves the top word of its quotient in the register that it has cleared: the roles rotate.
            reduce_wide!("{r0}", "{r1}", "{r2}", "{r3}"),
            reduce_wide!("{r1}", "{r2}", "{r3}", "{r0}"),
            reduce_wide!("{r2}", "{r3}", "{r0}", "{r1}"),
            reduce_wide!("{r3}", "{r0}", "{r1}", "{r2}"),
            "add {r0}, {r4}",
            "adc {r1}, {r5}",
            "adc {r2}, {r6}",
            "adc {r3}, {r7}",
            a = in(reg) a.as_ptr(),
            p = in(reg) M::P_AND_INVERSE.as_ptr(),
            r0 = out(reg) t0,
            r1 = out(reg) t1,
            r2 = out(reg) t2,
            r3 = out(reg) t3,
            r4 = out(reg) _,
            r5 = out(reg) _,
            r6 = out(reg) _,
            r7 = out(reg) _,
            c = out(reg) _,
            out("rax") _,
            out("rdx") _,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}
