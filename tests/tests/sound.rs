//! `sluice run` over WAV files: sound is forecast like any other numbers, also when it is silent or clipped, and a run goes on
//! where one stopped.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Float64Type;
use sluicegate_tests::{Workplace, pipelines, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

fn pipeline(source: &str, target: &str) -> String {
    format!(
        r#"
name = "sound"
[checkpoint]
path = "checkpoints"
[source.speech]
type = "wav"
{source}
[operator.forecast]
type = "forecast"
input = "speech"
targets = ["{target}"]
mixture = {{ rates = [1e-3] }}
ar = {{ lags = [1, 2, 3, 4] }}
model = {{ hidden = 4, update_every = 3 }}
[sink.files]
type = "parquet"
input = "forecast"
path = "out"
file_rows_max = 5000
row_group_rows = 1000
"#
    )
}

/// One channel of 16 bits at 8 kHz.
fn wav(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend([8000u32, 16_000].map(u32::to_le_bytes).concat());
    file.extend(b"\x02\0\x10\0data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn place(source: &str, target: &str, files: &[(&str, &[i16])]) -> Workplace {
    let place = Workplace::new(SLUICE);
    std::fs::create_dir(place.path("data")).unwrap();
    for (name, samples) in files {
        std::fs::write(place.path("data").join(name), wav(samples)).unwrap();
    }
    place.write("sound.toml", &pipeline(source, target));
    place
}

#[test]
fn silence_and_clipping_are_forecast_with_finite_scores() {
    let silence = [0i16; 600];
    let clipped: Vec<i16> = (0..600).map(|n| if n / 20 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let files = [("a.wav", &silence[..]), ("b.wav", &clipped), ("c.wav", &silence)];
    let frames = "path = 'data'\nunit = 'frame'\nframe = { length = 16, hop = 8 }";
    for (source, target) in [("path = 'data'", "value"), (frames, "rms_db"), (frames, "zero_crossing_rate")] {
        // Each file alone is a key; under one key, silence and clipping follow each other.
        for key in ["", "\nkey_pattern = '(?<kind>wav)$'"] {
            let place = place(&format!("{source}{key}"), target, &files);
            let run = place.run(&["run", "sound.toml", "--quiet"]);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            let rows = read_folder(&place.path("out"));
            for column in ["mean", "scale", "nll", "crps", "q500"] {
                let numbers = rows.column_by_name(column).unwrap().as_primitive::<Float64Type>();
                assert!(numbers.iter().flatten().all(f64::is_finite), "{column} of {target}{key}");
                assert!(numbers.len() - numbers.null_count() > 500, "{column} of {target}{key}");
            }
        }
    }
}

#[test]
fn a_run_that_stops_within_a_file_goes_on_with_the_same_forecasts() {
    let tone = |period: f64| -> Vec<i16> {
        (0..1500).map(|n| ((f64::from(n) / period).sin() * 9000.0) as i16 + (n % 7) as i16 * 50).collect()
    };
    let (a, b) = (tone(5.0), tone(9.0));
    let files = [("0_x_0.wav", &a[..]), ("1_y_0.wav", &b), ("2_x_1.wav", &b)];
    let source = "path = 'data'\nkey_pattern = '_(?<speaker>[a-z])_'";
    let (whole, parts) = (place(source, "value", &files), place(source, "value", &files));
    assert_eq!(whole.run(&["run", "sound.toml", "--quiet"]).code, Some(0));
    for stop in [700, 1501, 2999, 4500] {
        let stop = format!("speech.stop={{ offset = {stop} }}");
        let run = parts.run(&["run", "sound.toml", "--quiet", "--set", &stop]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    let (expected, seen) = (read_folder(&whole.path("out")), read_folder(&parts.path("out")));
    assert!(seen == expected, "the forecasts differ");
    assert_eq!(expected.num_rows(), 4500 * 3);
}

#[test]
fn a_file_that_is_no_sound_is_named_before_anything_runs() {
    let place = place("path = 'data'", "value", &[("a.wav", &[0; 10])]);
    let bytes = wav(&[0; 10]);
    std::fs::write(place.path("data/b.wav"), &bytes[..bytes.len() - 3]).unwrap();
    let run = place.run(&["check", "sound.toml"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("b.wav") && run.stderr.contains("promises 10 samples"), "{}", run.stderr);
}

#[test]
fn the_bundled_pipeline_of_speech_fits_its_data() {
    let place = Workplace::new(SLUICE);
    let run = place.run(&["check", pipelines().join("sound.toml").to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("speaker"), "{}", run.stdout);
}
