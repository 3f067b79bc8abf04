//! When a sample is.

use arrow::datatypes::{DataType, TimeUnit};

use crate::time;

const MICROS_PER_SECOND: i128 = 1_000_000;
/// At a higher rate two samples would have the same time.
pub(super) const RATE_MAX: u32 = 1_000_000;

/// Times of a partition's samples: sample n, counted over all its files, is at origin + n / rate, in whole microseconds that
/// are not later. Worked out in whole numbers, so no error adds up however long the sound is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Microseconds from 1970-01-01T00:00:00Z.
    pub(super) origin_us: i64,
    /// Samples per second, from 1 to [`RATE_MAX`].
    pub(super) rate: u32,
}

/// The type of times.
pub(super) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl Clock {
    /// Microseconds from 1970-01-01T00:00:00Z; at the end of what can be told, its last one.
    pub(super) fn at(self, sample: i64) -> i64 {
        let since = i128::from(sample) * MICROS_PER_SECOND / i128::from(self.rate);
        i64::try_from(i128::from(self.origin_us) + since).unwrap_or(i64::MAX)
    }

    /// The first sample at this time or later, given in nanoseconds; `None` where there can be none.
    pub(super) fn first_at(self, nanos: i128) -> Option<i64> {
        let since = i128::from(time::least_tick(nanos, &time_type())?) - i128::from(self.origin_us);
        // ⌊n · 10⁶ / rate⌋ ≥ since is n ≥ since · rate / 10⁶, since `since` is whole.
        let scaled = since.max(0) * i128::from(self.rate);
        i64::try_from(scaled.div_euclid(MICROS_PER_SECOND) + i128::from(scaled % MICROS_PER_SECOND != 0)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_however_long_the_sound_is() {
        let clock = Clock { origin_us: 5, rate: 44_100 };
        assert_eq!([0, 1, 2, 3].map(|sample| clock.at(sample)), [5, 27, 50, 73]);
        // A hundred years on, a sample that begins a second is still at its very beginning.
        let years = 3_155_760_000;
        assert_eq!(clock.at(years * 44_100), years * 1_000_000 + 5);
        assert_eq!(Clock { origin_us: i64::MAX, rate: 1 }.at(i64::MAX), i64::MAX);
    }

    #[test]
    fn the_first_sample_at_a_time_is_the_first_whose_time_is_not_earlier() {
        for rate in [1, 7, 8000, 11_025, 44_100, RATE_MAX] {
            let clock = Clock { origin_us: -3, rate };
            for sample in 0..200 {
                let time = i128::from(clock.at(sample));
                assert_eq!(clock.first_at(time * 1000), Some(sample), "at {rate} Hz");
                assert_eq!(clock.first_at(time * 1000 + 1), Some(sample + 1), "at {rate} Hz");
            }
        }
        assert_eq!(Clock { origin_us: 0, rate: 1 }.first_at(-1_000_000), Some(0));
    }
}
