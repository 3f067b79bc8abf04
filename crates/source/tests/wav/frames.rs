//! Rows of frames say what is known of their samples, and when that is known.

use crate::support::Folder;

#[test]
fn frames_overlap_within_a_file_and_never_reach_into_the_next() {
    let folder = Folder::new();
    folder.write_sound("d/a.wav", [16_384, -16_384, 16_384, -16_384, 0, 0, 0]).write_sound("d/b.wav", [8192; 5]);
    let rows = folder.read("path = 'd'\nunit = 'frame'\nframe = { length = 4, hop = 3 }");
    assert_eq!(rows.text("file"), ["a", "a", "b"]);
    assert_eq!(rows.whole("frame"), [0, 1, 0]);
    // python3: [10 * math.log10(x) for x in (.25, .0625, .0625)]
    let expected = [-6.020_599_913_279_624, -12.041_199_826_559_248, -12.041_199_826_559_248];
    assert!(rows.numbers("rms_db").iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rows:?}");
    assert_eq!(rows.numbers("zero_crossing_rate"), [1.0, 1.0 / 3.0, 0.0]);
    assert_eq!(rows.numbers("peak"), [0.5, 0.5, 0.25]);
    // At the last samples: 3, 6 and 7 + 3 of the partition, 125 µs each.
    assert_eq!(rows.times(), [375, 750, 1250]);
}

#[test]
fn frames_in_milliseconds_are_as_long_as_the_rate_says() {
    let folder = Folder::new();
    folder.write_sound("a.wav", (0..800).map(|sample| sample * 40));
    let of = |frame: &str| folder.read(&format!("path = 'a.wav'\nunit = 'frame'\nframe = {frame}"));
    assert_eq!(of("{ length = '25ms', hop = '10ms' }"), of("{ length = 200, hop = 80 }"));
    assert_eq!(of("{ length = '25ms' }").whole("frame"), [0, 1, 2, 3]);
    assert_eq!(of("{ length = 10, hop = 300 }").numbers("peak"), [9.0, 309.0, 609.0].map(|n| n * 40.0 / 32_768.0));
}

#[test]
fn silence_and_clipping_are_finite() {
    let folder = Folder::new();
    folder.write_sound("a.wav", [0; 4].into_iter().chain([i16::MAX; 2]).chain([i16::MIN; 2]));
    let rows = folder.read("path = 'a.wav'\nunit = 'frame'\nframe = { length = 4 }");
    assert_eq!(rows.numbers("rms_db")[0], -120.0);
    assert!(rows.numbers("rms_db")[1].abs() < 1e-3);
    assert_eq!((rows.numbers("peak"), rows.numbers("zero_crossing_rate")), (vec![0.0, 1.0], vec![0.0, 1.0 / 3.0]));
}
