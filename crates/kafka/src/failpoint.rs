//! Places where a test makes the process die, so that recovery is tried at every step of the protocol.
//!
//! Compiled to nothing without the feature `failpoints`. With it, `SLUICEGATE_FAILPOINT=name:count` aborts the process, as
//! kill -9 would, when the place called `name` is reached for the `count`-th time.

/// Reaches the place called `name`.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reach(_name: &str) {}

/// Reaches the place called `name`; dies when it is this one's turn.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: LazyLock<Option<(String, u64)>> =
        LazyLock::new(|| parse(&std::env::var("SLUICEGATE_FAILPOINT").ok()?));
    static REACHED: AtomicU64 = AtomicU64::new(0);

    if let Some((chosen, count)) = &*CHOSEN
        && chosen == name
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        // Whoever waits for it reads this line as the proof that the place was hit.
        eprintln!("failpoint {name}:{count}");
        std::process::abort();
    }
}

/// `name:count`, or a name alone for the first time.
#[cfg(feature = "failpoints")]
fn parse(text: &str) -> Option<(String, u64)> {
    match text.rsplit_once(':') {
        Some((name, count)) => Some((name.to_owned(), count.parse().ok()?)),
        None if text.is_empty() => None,
        None => Some((text.to_owned(), 1)),
    }
}

#[cfg(all(test, feature = "failpoints"))]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_is_named_with_the_time_it_strikes() {
        assert_eq!(parse("commit.before:3"), Some(("commit.before".to_owned(), 3)));
        assert_eq!(parse("commit.before"), Some(("commit.before".to_owned(), 1)));
        assert_eq!(parse("commit.before:x"), None);
        assert_eq!(parse(""), None);
    }
}
