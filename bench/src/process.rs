//! What the operating system says of this process. `None` where it is not Linux.

use std::fs;
use std::time::Duration;

/// Clock ticks a second in `/proc/*/stat`: the same on every Linux, whatever the kernel's own clock does.
const TICKS_PER_SECOND: u64 = 100;

/// Processor time of all threads so far, those that have ended included.
pub(crate) fn processor_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in brackets, and may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS_PER_SECOND))
}

/// The most memory held at any time, in bytes.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_shows() {
        let before = (processor_time().unwrap(), peak_bytes().unwrap());
        let mut numbers = vec![0u64; 16 << 20];
        for round in 1..=20u64 {
            numbers.iter_mut().for_each(|number| *number = number.wrapping_mul(31).wrapping_add(round));
        }
        assert!(numbers.iter().any(|number| *number != 0));
        assert!(processor_time().unwrap() > before.0);
        assert!(peak_bytes().unwrap() >= before.1.max(128 << 20));
    }
}
