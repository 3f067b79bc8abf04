//! Which instructions do the work. The results are the same.

use pulp::{Scalar, Simd, WithSimd};

/// Instructions that the processor has.
#[derive(Debug, Clone, Copy)]
pub struct InstructionSet(Level);

#[derive(Debug, Clone, Copy)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    /// What the program was compiled for: SSE2 on x86-64, NEON on AArch64.
    Baseline,
}

impl InstructionSet {
    /// The widest that this processor has.
    pub fn detect() -> Self {
        Self::available().first().copied().unwrap_or(Self(Level::Baseline))
    }

    /// All that this processor has, the widest first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(pulp::x86::V4::try_new().map(Level::Avx512).map(Self));
            sets.extend(pulp::x86::V3::try_new().map(Level::Avx2).map(Self));
        }
        sets.push(Self(Level::Baseline));
        sets
    }

    /// Its name in tables and messages.
    pub fn as_str(&self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => "avx2",
            Level::Baseline => "baseline",
        }
    }

    /// Does `work`, compiled for these instructions.
    #[inline(always)]
    pub(crate) fn run<W: WithSimd>(self, work: W) -> W::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(simd) => Simd::vectorize(simd, work),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(simd) => Simd::vectorize(simd, work),
            Level::Baseline => Simd::vectorize(Scalar::new(), work),
        }
    }
}
