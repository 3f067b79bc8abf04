//! What files are called.
//!
//! `part-<tag>-<number>.parquet`, where the tag stands for the partition. The number is what follows the last `-`, so a tag
//! may hold that character itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Longer tags are cut, so that a name, even an unfinished file's, stays under the 255 bytes that file systems allow.
const TAG_BYTES_MAX: usize = 150;
/// Fewest digits of a number, so that up to 100,000 files sort by name as by number.
const DIGITS_MIN: usize = 5;

const PREFIX: &str = "part-";
const SUFFIX: &str = ".parquet";
const UNFINISHED_SUFFIX: &str = ".tmp";

/// What stands for a partition in a file name. Two partitions never have the same, but for a collision of 64-bit hashes
/// between names that are longer than is allowed.
pub(super) fn tag(partition: &str) -> String {
    let mut tag = String::with_capacity(partition.len());
    for byte in partition.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => tag.push(char::from(byte)),
            other => tag.push_str(&format!("%{other:02X}")),
        }
    }
    if tag.len() > TAG_BYTES_MAX {
        let hash = fnv1a(partition.as_bytes());
        tag.truncate(TAG_BYTES_MAX);
        // No tag that was not cut holds a `~`.
        tag.push_str(&format!("~{hash:016x}"));
    }
    tag
}

/// FNV-1a, 64 bits: the same in every version and on every machine, as a name has to be.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The name of a complete file.
pub(super) fn complete(tag: &str, number: u64) -> String {
    format!("{PREFIX}{tag}-{number:0DIGITS_MIN$}{SUFFIX}")
}

/// The tag and number in the name of a complete file; `None` when it is no such name.
pub(super) fn parse(name: &str) -> Option<(&str, u64)> {
    let (tag, digits) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.rsplit_once('-')?;
    let number: u64 = digits.parse().ok()?;
    (complete(tag, number) == name).then_some((tag, number))
}

/// A hidden name for a file in the making, which no other file of any process has.
pub(super) fn unfinished(complete: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    format!(".{complete}.{:x}-{nanos:x}-{count:x}{UNFINISHED_SUFFIX}", std::process::id())
}

/// A number that no other process begins with, so that those that come after it are one process's own.
pub(super) fn own_number() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64) & (i64::MAX as u64 >> 1)
}

/// Whether this is the name of a file in the making, of this or another run.
pub(super) fn is_unfinished(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(UNFINISHED_SUFFIX));
    inner.and_then(|name| name.rsplit_once('.')).is_some_and(|(complete, run)| {
        let hexadecimal = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        parse(complete).is_some() && run.split('-').count() == 3 && run.split('-').all(hexadecimal)
    })
}

/// The tag in the name of a file in the making.
pub(super) fn tag_of_unfinished(name: &str) -> Option<&str> {
    let (complete, _) = name.strip_prefix('.')?.strip_suffix(UNFINISHED_SUFFIX)?.rsplit_once('.')?;
    parse(complete).map(|(tag, _)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_partition_and_number_it_is() {
        let long = "é".repeat(300);
        for partition in ["power", "a-00000", "-", "", "2023/prices", "a b", "a%20b", "Ünï", "..", long.as_str()] {
            let tag = tag(partition);
            for number in [0, 7, 99_999, 123_456] {
                let name = complete(&tag, number);
                assert_eq!(parse(&name), Some((tag.as_str(), number)), "{name}");
                assert!(!name.contains('/') && unfinished(&name).len() < 255, "{name}");
                assert!(is_unfinished(&unfinished(&name)) && parse(&unfinished(&name)).is_none());
            }
        }
        assert_eq!(complete(&tag("2023/a b"), 3), "part-2023%2Fa%20b-00003.parquet");
    }

    #[test]
    fn partitions_that_look_alike_have_different_names() {
        let long = "x".repeat(400);
        let partitions = ["a b", "a%20b", "a/b", "a-b", "a_b", "a", "a-00000", &long, &long[..399]];
        let names: std::collections::HashSet<_> = partitions.iter().map(|name| tag(name)).collect();
        assert_eq!(names.len(), partitions.len());
    }

    #[test]
    fn names_of_other_programs_are_not_taken_for_ours() {
        for name in [
            "part-0.parquet",
            "part-00000.parquet",
            "part-a-0.parquet",
            "part-a-0000x.parquet",
            "part-a-000001.parquet",
            "part-00000-8b1c-c000.snappy.parquet",
            "xpart-a-00000.parquet",
            "part-a-00000.parquet.bak",
            "part-a-+00001.parquet",
            ".hidden.tmp",
            ".part-a-00000.parquet",
            ".part-a-00000.parquet.tmp",
            ".part-a-00000.parquet.Xy3kQz.tmp",
            ".part-a-00000.parquet.1-2-.tmp",
        ] {
            assert!(parse(name).is_none() && !is_unfinished(name), "{name}");
        }
    }
}
