//! The arithmetic in which a prover spends its time, by subject. In each folder `mod.rs` is what the rest of the crate
//! uses, and the files beside it are how it is done.
//!
//! - `field`: the scalar field Fr and the base field Fp;
//! - `curve`: points of G1 and G2, and many additions at once;
//! - `msm`: multi-scalar multiplication, and multiples of a fixed point;
//! - `fft`: transforms between a domain and its coset.
//!
//! All four are generic over a *field kernel* (`field::arith::Kernel`), which is chosen once, at run time:
//!
//! - `ifma`: eight elements at once in the 52-bit limbs of AVX-512 IFMA;
//! - `avxifma`: four elements at once, by AVX-IFMA;
//! - `fma512`: eight elements at once by fused multiply-adds of doubles, for AVX-512 without IFMA;
//! - `adx`: one element at a time with mulx, adcx and adox of x86-64;
//! - `arm64`: one element at a time in the assembly of aarch64;
//! - `portable`: one element at a time in plain Rust, for any 64-bit machine;
//! - `emulated`: the algorithms of `ifma` on emulated vectors, so that they are tested on every machine; in builds for
//!   tests alone.
//!
//! The fastest that this machine can run is used; the environment variable ZKCHAIN_KERNEL selects another.

pub mod curve;
pub mod fft;
pub mod field;
pub mod msm;

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Names a kernel that runs on this machine; there are no values for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelId(Name);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    #[cfg(target_arch = "x86_64")]
    Ifma,
    #[cfg(target_arch = "x86_64")]
    AvxIfma,
    #[cfg(target_arch = "x86_64")]
    Fma512,
    #[cfg(target_arch = "x86_64")]
    Adx,
    #[cfg(target_arch = "aarch64")]
    Arm64,
    Portable,
    #[cfg(any(test, debug_assertions))]
    Emulated,
}

/// Not offered in messages: it is slow, and there for tests (a release of the library is built without it).
const EMULATED: &str = "emulated";

impl Name {
    const ALL: &'static [Name] = &[
        #[cfg(target_arch = "x86_64")]
        Name::Ifma,
        #[cfg(target_arch = "x86_64")]
        Name::AvxIfma,
        #[cfg(target_arch = "x86_64")]
        Name::Fma512,
        #[cfg(target_arch = "x86_64")]
        Name::Adx,
        #[cfg(target_arch = "aarch64")]
        Name::Arm64,
        Name::Portable,
        #[cfg(any(test, debug_assertions))]
        Name::Emulated,
    ];

    fn text(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Name::Ifma => "ifma",
            #[cfg(target_arch = "x86_64")]
            Name::AvxIfma => "avxifma",
            #[cfg(target_arch = "x86_64")]
            Name::Fma512 => "fma512",
            #[cfg(target_arch = "x86_64")]
            Name::Adx => "adx",
            #[cfg(target_arch = "aarch64")]
            Name::Arm64 => "arm64",
            Name::Portable => "portable",
            #[cfg(any(test, debug_assertions))]
            Name::Emulated => EMULATED,
        }
    }

    fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Name::Ifma => field::avx512::ifma_available(),
            #[cfg(target_arch = "x86_64")]
            Name::AvxIfma => field::avx2::available(),
            #[cfg(target_arch = "x86_64")]
            Name::Fma512 => field::avx512::fma_available(),
            #[cfg(target_arch = "x86_64")]
            Name::Adx => field::adx::available(),
            #[cfg(target_arch = "aarch64")]
            Name::Arm64 => true,
            Name::Portable => true,
            #[cfg(any(test, debug_assertions))]
            Name::Emulated => true,
        }
    }
}

impl KernelId {
    /// The kernels that this machine can run, the fastest first.
    pub fn all() -> Vec<KernelId> {
        Name::ALL.iter().copied().filter(|name| name.available()).map(KernelId).collect()
    }

    pub fn name(self) -> &'static str {
        self.0.text()
    }

    pub(crate) fn inner(self) -> Name {
        self.0
    }

    /// The kernel of that name. Errors: there is no such kernel, or this machine cannot run it.
    pub fn named(name: &str) -> Result<KernelId> {
        let found = KernelId::all().into_iter().find(|id| id.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> =
                KernelId::all().into_iter().map(KernelId::name).filter(|name| *name != EMULATED).collect();
            Error::Setting(format!("ZKCHAIN_KERNEL: expected one of {}, got {name:?}", names.join(", ")))
        })
    }

    fn from_environment() -> Result<KernelId> {
        match std::env::var("ZKCHAIN_KERNEL") {
            Ok(name) if !name.is_empty() => KernelId::named(&name),
            _ => Ok(KernelId::all()[0]),
        }
    }
}

/// The kernel in use. Errors: ZKCHAIN_KERNEL names none that this machine can run.
pub fn check() -> Result<KernelId> {
    static CHOSEN: OnceLock<KernelId> = OnceLock::new();
    if let Some(id) = CHOSEN.get() {
        return Ok(*id);
    }
    let id = KernelId::from_environment()?;
    Ok(*CHOSEN.get_or_init(|| id))
}

/// The kernel in use; the fastest one when ZKCHAIN_KERNEL is wrong, which `check` reports.
pub fn active() -> KernelId {
    check().unwrap_or_else(|_| KernelId::all()[0])
}

/// Evaluates `$body` with the type `$K` standing for the kernel that `$id` names.
macro_rules! dispatch {
    ($id:expr, $K:ident => $body:expr) => {
        match $id.inner() {
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Name::Ifma => {
                type $K = $crate::kernel::field::ifma::Ifma<
                    $crate::kernel::field::avx512::Avx512<$crate::kernel::field::simd::Instructions>,
                >;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Name::AvxIfma => {
                type $K = $crate::kernel::field::ifma::Ifma<
                    $crate::kernel::field::avx2::Avx2<$crate::kernel::field::simd::Instructions>,
                >;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Name::Fma512 => {
                type $K = $crate::kernel::field::ifma::Ifma<
                    $crate::kernel::field::avx512::Avx512<$crate::kernel::field::simd::Doubles>,
                >;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Name::Adx => {
                type $K = $crate::kernel::field::scalar::Scalar<$crate::kernel::field::scalar::AdxEngine>;
                $body
            }
            #[cfg(target_arch = "aarch64")]
            $crate::kernel::Name::Arm64 => {
                type $K = $crate::kernel::field::scalar::Scalar<$crate::kernel::field::scalar::Arm64Engine>;
                $body
            }
            $crate::kernel::Name::Portable => {
                type $K = $crate::kernel::field::scalar::Scalar<$crate::kernel::field::scalar::PortableEngine>;
                $body
            }
            #[cfg(any(test, debug_assertions))]
            $crate::kernel::Name::Emulated => {
                type $K = $crate::kernel::field::ifma::Ifma<$crate::kernel::field::emulated::Emulated>;
                $body
            }
        }
    };
}
pub(crate) use dispatch;

#[cfg(test)]
mod testing;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_named() {
        for id in KernelId::all() {
            assert_eq!(KernelId::named(id.name()).expect("known"), id);
        }
        assert!(matches!(KernelId::named("abacus"), Err(Error::Setting(_))));
        let names: Vec<_> = KernelId::all().iter().map(|c| c.name()).collect();
        assert!(names.ends_with(&["portable", "emulated"]));
    }
}
