pub mod modulus;
pub mod wide;
pub mod portable;
#[cfg(target_arch = "x86_64")]
pub mod adx;
