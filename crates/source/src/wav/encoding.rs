//! How bytes become a number.

/// How a sample is written. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// PCM of 8 bits, which is unsigned: 128 is silence.
    Unsigned8,
    /// PCM of 16 bits.
    Signed16,
    /// PCM of 24 bits.
    Signed24,
    /// PCM of 32 bits.
    Signed32,
    /// IEEE 754 of 32 bits.
    Float32,
    /// IEEE 754 of 64 bits.
    Float64,
}

impl Encoding {
    /// PCM of so many bits.
    pub(super) fn pcm(bits: u16) -> Option<Self> {
        Some(match bits {
            8 => Self::Unsigned8,
            16 => Self::Signed16,
            24 => Self::Signed24,
            32 => Self::Signed32,
            _ => return None,
        })
    }

    /// IEEE 754 of so many bits.
    pub(super) fn float(bits: u16) -> Option<Self> {
        Some(match bits {
            32 => Self::Float32,
            64 => Self::Float64,
            _ => return None,
        })
    }

    /// Bytes of a sample.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// The number that [`Encoding::width`] bytes stand for: of PCM in [−1, 1), exactly; a float as it is. Any other
    /// number of bytes is no number.
    pub(super) fn value(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::Unsigned8, [a]) => (f64::from(*a) - 128.0) / 128.0,
            (Self::Signed16, [a, b]) => f64::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
            // In the upper three bytes of 32 bits, so that the sign is in its place.
            (Self::Signed24, [a, b, c]) => f64::from(i32::from_le_bytes([0, *a, *b, *c])) / 2_147_483_648.0,
            (Self::Signed32, [a, b, c, d]) => f64::from(i32::from_le_bytes([*a, *b, *c, *d])) / 2_147_483_648.0,
            (Self::Float32, [a, b, c, d]) => f64::from(f32::from_le_bytes([*a, *b, *c, *d])),
            (Self::Float64, bytes) => bytes.try_into().map_or(f64::NAN, f64::from_le_bytes),
            _ => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pcm_goes_from_minus_one_to_just_below_one_with_silence_at_zero() {
        let cases: [(Encoding, &[u8], f64); 12] = [
            (Encoding::Unsigned8, &[0], -1.0),
            (Encoding::Unsigned8, &[128], 0.0),
            (Encoding::Unsigned8, &[255], 1.0 - 1.0 / 128.0),
            (Encoding::Signed16, &[0, 0x80], -1.0),
            (Encoding::Signed16, &[0xff, 0x7f], 1.0 - 1.0 / 32_768.0),
            (Encoding::Signed16, &[1, 0], 1.0 / 32_768.0),
            (Encoding::Signed24, &[0, 0, 0x80], -1.0),
            (Encoding::Signed24, &[0xff, 0xff, 0xff], -1.0 / 8_388_608.0),
            (Encoding::Signed24, &[0xff, 0xff, 0x7f], 1.0 - 1.0 / 8_388_608.0),
            (Encoding::Signed32, &[0, 0, 0, 0x80], -1.0),
            (Encoding::Signed32, &[0xff, 0xff, 0xff, 0x7f], 1.0 - 1.0 / 2_147_483_648.0),
            (Encoding::Float32, &[0, 0, 0xc0, 0x3f], 1.5),
        ];
        for (encoding, bytes, value) in cases {
            assert_eq!((bytes.len(), encoding.value(bytes)), (encoding.width(), value), "{encoding:?} {bytes:?}");
        }
        assert_eq!(Encoding::Float64.value(&0.1f64.to_le_bytes()), 0.1);
    }
}
