//! Every encoding gives the numbers that were written, by another program or by hand.

use hound::{SampleFormat, WavSpec};

use crate::support::{Folder, by_hand, format, spec};

const ONE: &str = "path = 'a.wav'";

#[test]
fn pcm_of_every_width_is_divided_by_its_full_scale() {
    for bits in [8u16, 16, 24, 32] {
        let half = 1i64 << (bits - 1);
        let samples = [-half, -1, 0, 1, half / 2, half - 1];
        let folder = Folder::new();
        folder.write_with("a.wav", spec(1, 8000, bits), |writer| {
            samples.iter().for_each(|sample| writer.write_sample(*sample as i32).unwrap());
        });
        let expected: Vec<f64> = samples.iter().map(|sample| *sample as f64 / half as f64).collect();
        assert_eq!(folder.read(ONE).numbers("value"), expected, "{bits} bits");
    }
}

#[test]
fn floats_are_taken_as_they_are() {
    let folder = Folder::new();
    let spec = WavSpec { sample_format: SampleFormat::Float, ..spec(1, 48_000, 32) };
    folder.write_with("a.wav", spec, |writer| {
        [0.5f32, -1.25, 1.0].iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    });
    assert_eq!(folder.read(ONE).numbers("value"), [0.5, -1.25, 1.0]);
    let data: Vec<u8> = [0.1f64, -0.7].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    folder.write("a.wav", by_hand(&[], &format(3, 1, 8000, 8, 64), &data));
    assert_eq!(folder.read(ONE).numbers("value"), [0.1, -0.7]);
}

#[test]
fn extended_headers_and_chunks_of_odd_length_are_read() {
    let folder = Folder::new();
    // WAVEFORMATEXTENSIBLE: the size of the extension, valid bits, loudspeakers, and the identifier of the encoding.
    let mut extensible = format(0xfffe, 1, 44_100, 4, 32);
    extensible.extend([22, 0, 32, 0, 4, 0, 0, 0]);
    extensible.extend([1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    let mut extended = format(1, 1, 44_100, 4, 32);
    extended.extend([0, 0]);
    let data: Vec<u8> = [1i32 << 30, -(1 << 29)].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for format in [extensible, extended] {
        let file = by_hand(&[(b"LIST", b"odd"), (b"fact", &[2, 0, 0, 0])], &format, &data);
        folder.write("a.wav", file);
        assert_eq!(folder.read(ONE).numbers("value"), [0.5, -0.25]);
    }
}

#[test]
fn what_comes_after_the_sound_is_none() {
    let folder = Folder::new();
    let mut file = by_hand(&[], &format(1, 1, 8000, 2, 16), &[0, 64]);
    file.extend(b"LIST\x04\0\0\0INFO");
    folder.write("a.wav", file);
    assert_eq!(folder.read(ONE).numbers("value"), [0.5]);
}

#[test]
fn one_channel_of_several_is_the_one_that_is_named() {
    let folder = Folder::new();
    folder.write_with("a.wav", spec(3, 8000, 16), |writer| {
        (0..9i16).for_each(|sample| writer.write_sample(sample * 1024).unwrap());
    });
    for channel in 1..=3 {
        let expected = [0, 3, 6].map(|first| f64::from((first + channel - 1) * 1024) / 32_768.0);
        assert_eq!(folder.read(&format!("{ONE}\nchannel = {channel}")).numbers("value"), expected);
    }
}

#[test]
fn every_row_has_its_file_its_number_and_its_exact_time() {
    let folder = Folder::new();
    for (name, samples) in [("d/b.wav", 2), ("d/a.wav", 3), ("d/empty.wav", 0)] {
        folder.write_with(name, spec(1, 44_100, 16), |writer| {
            (0..samples).for_each(|sample| writer.write_sample(sample as i16).unwrap());
        });
    }
    folder.write("d/notes.txt", "no");
    let rows = folder.read("path = 'd'\norigin = 2024-05-01T12:00:00Z");
    assert_eq!(rows.offsets, [0, 1, 2, 3, 4]);
    assert_eq!(rows.text("file"), ["a", "a", "a", "b", "b"]);
    assert_eq!(rows.whole("sample"), [0, 1, 2, 0, 1]);
    // python3: [1714564800 * 10**6 + n * 10**6 // 44100 for n in range(5)]
    let origin = 1_714_564_800_000_000;
    assert_eq!(rows.times(), [0, 22, 45, 68, 90].map(|micros| origin + micros));
}
