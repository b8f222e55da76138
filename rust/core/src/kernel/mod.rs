//! The hot arithmetic of the prover, in three kernels behind one interface, chosen once at run time.
//!
//! - `ifma`: eight elements at once in AVX-512 IFMA's 52-bit limbs;
//! - `adx`: x86-64 with mulx, adcx and adox;
//! - `portable`: plain Rust for any 64-bit machine;
//! - `emulated`: the first one's algorithms on emulated vectors, for tests on machines without the instructions.
//!
//! The best that the machine has is used; the environment variable ZKCHAIN_KERNEL names another.

pub mod curve;
pub mod fft;
pub mod field;
pub mod msm;

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Which kernel to use. A value exists only for a kernel that runs on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(Name);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    #[cfg(target_arch = "x86_64")]
    Ifma,
    #[cfg(target_arch = "x86_64")]
    Adx,
    Portable,
    Emulated,
}

/// For tests.
const EMULATED: &str = "emulated";

impl Name {
    const ALL: &'static [Name] = &[
        #[cfg(target_arch = "x86_64")]
        Name::Ifma,
        #[cfg(target_arch = "x86_64")]
        Name::Adx,
        Name::Portable,
        Name::Emulated,
    ];

    fn text(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Name::Ifma => "ifma",
            #[cfg(target_arch = "x86_64")]
            Name::Adx => "adx",
            Name::Portable => "portable",
            Name::Emulated => EMULATED,
        }
    }

    fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Name::Ifma => field::avx512::available(),
            #[cfg(target_arch = "x86_64")]
            Name::Adx => field::adx::available(),
            Name::Portable | Name::Emulated => true,
        }
    }
}

impl Choice {
    /// Every kernel of this machine, the fastest first.
    pub fn all() -> Vec<Choice> {
        Name::ALL.iter().copied().filter(|name| name.available()).map(Choice).collect()
    }

    pub fn name(self) -> &'static str {
        self.0.text()
    }

    pub(crate) fn inner(self) -> Name {
        self.0
    }

    /// The kernel of that name. Errors: no such kernel, or not on this machine.
    pub fn named(name: &str) -> Result<Choice> {
        let found = Choice::all().into_iter().find(|choice| choice.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Choice::all().into_iter().map(Choice::name).filter(|name| *name != EMULATED).collect();
            Error::Setting(format!("ZKCHAIN_KERNEL: expected one of {}, got {name:?}", names.join(", ")))
        })
    }

    fn from_environment() -> Result<Choice> {
        match std::env::var("ZKCHAIN_KERNEL") {
            Ok(name) if !name.is_empty() => Choice::named(&name),
            _ => Ok(Choice::all()[0]),
        }
    }
}

/// The kernel in use. Errors: ZKCHAIN_KERNEL names none of this machine's.
pub fn check() -> Result<Choice> {
    static CHOSEN: OnceLock<Choice> = OnceLock::new();
    if let Some(choice) = CHOSEN.get() {
        return Ok(*choice);
    }
    let choice = Choice::from_environment()?;
    Ok(*CHOSEN.get_or_init(|| choice))
}

/// The kernel in use; the best one when the environment names none of this machine's (`check` reports that).
pub fn active() -> Choice {
    check().unwrap_or_else(|_| Choice::all()[0])
}

/// Evaluates `$body` with `$K` standing for the kernel chosen.
macro_rules! dispatch {
    ($choice:expr, $K:ident => $body:expr) => {
        match $choice.inner() {
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Name::Ifma => {
                type $K = $crate::kernel::field::ifma::Ifma<$crate::kernel::field::avx512::Avx512>;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Name::Adx => {
                type $K = $crate::kernel::field::scalar::Scalar<$crate::kernel::field::scalar::AdxEngine>;
                $body
            }
            $crate::kernel::Name::Portable => {
                type $K = $crate::kernel::field::scalar::Scalar<$crate::kernel::field::scalar::PortableEngine>;
                $body
            }
            $crate::kernel::Name::Emulated => {
                type $K = $crate::kernel::field::ifma::Ifma<$crate::kernel::field::simd::Emulated>;
                $body
            }
        }
    };
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests;
