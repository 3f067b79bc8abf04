//! Files that are no sound, or less than they promise: each is refused by name, before a row of it is read where that can be known.

use crate::support::{Folder, Rows, by_hand, format, spec};

/// The error of a folder with one sound file in it, which holds these bytes.
fn refused(bytes: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    folder.write_sound("d/a.wav", [1, 2, 3]).write("d/bad.wav", bytes);
    let error = folder.connect("path = 'd'").err().unwrap();
    assert!(error.contains("source.s.path") && error.contains("d/bad.wav cannot be read as a WAV file"), "{error}");
    error
}

#[test]
fn a_broken_header_is_refused_by_name() {
    let good = by_hand(&[], &format(1, 1, 8000, 2, 16), &[1, 0, 2, 0]);
    for (bytes, problem) in [
        (b"".to_vec(), "ends within its header, after 0 bytes"),
        (b"RIFF\0\0\0\0AVI LIST".to_vec(), "does not begin as one"),
        (good[..30].to_vec(), "ends within its header, after 30 bytes"),
        (by_hand(&[(b"data", &[1, 0])], &format(1, 1, 8000, 2, 16), &[]), "its sound comes before its format"),
        (by_hand(&[], &[1, 0], &[]), "its format takes 2 bytes"),
        (by_hand(&[(b"LIST", &[][..]); 2000], &format(1, 1, 8000, 2, 16), &[]), "no sound among its first 1024 chunks"),
        (by_hand(&[], &format(1, 0, 8000, 2, 16), &[]), "no channel"),
        (by_hand(&[], &format(1, 1, 0, 2, 16), &[]), "its rate is 0 Hz"),
        (by_hand(&[], &format(1, 1, 2_000_000, 2, 16), &[]), "its rate is 2000000 Hz"),
        (by_hand(&[], &format(1, 2, 8000, 2, 16), &[]), "2 channels of 16 bits do not make the 2 bytes"),
        (by_hand(&[], &format(1, 1, 8000, 2, 12), &[]), "PCM of 12 bits"),
        (by_hand(&[], &format(1, 1, 8000, 2, 16), &[1, 0, 2]), "its 3 bytes of sound are no whole number"),
    ] {
        let error = refused(bytes);
        assert!(error.contains(problem), "{problem}: {error}");
    }
}

#[test]
fn an_encoding_that_is_not_read_is_told_by_its_name() {
    for (tag, bits, name) in
        [(2, 4, "ADPCM"), (6, 8, "A-law"), (7, 8, "mu-law"), (0x55, 0, "MP3"), (0x1234, 8, "number 0x1234")]
    {
        let error = refused(by_hand(&[], &format(tag, 1, 8000, 1, bits), &[0, 0]));
        assert!(error.contains(name) && error.contains("ffmpeg"), "{error}");
    }
    let mut extensible = format(0xfffe, 1, 8000, 2, 16);
    extensible.extend([0; 24]);
    assert!(refused(by_hand(&[], &extensible, &[0, 0])).contains("none that has a name"));
}

#[test]
fn sound_that_is_cut_short_is_refused_with_what_there_is() {
    let whole = by_hand(&[], &format(1, 1, 8000, 2, 16), &[0; 20]);
    let error = refused(&whole[..whole.len() - 5]);
    assert!(error.contains("promises 10 samples, but it ends after 7"), "{error}");
    // As programs write it that cannot go back to the header.
    let mut streamed = whole;
    streamed[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(streamed).contains("but it ends after 10"));
}

#[test]
fn a_file_that_changes_while_it_is_read_ends_the_run_by_name() {
    let folder = Folder::new();
    folder.write_sound("d/a.wav", 0..100);
    let mut source = folder.connect("path = 'd'\nbatch_rows = 10").unwrap();
    let partition = source.partitions().unwrap().remove(0);
    folder.write_sound("d/a.wav", 0..99);
    let error = Rows::read(source.as_mut(), &partition, None).unwrap_err().to_string();
    assert!(error.contains("d/a.wav has changed since the run began: its header"), "{error}");
    let mut source = folder.connect("path = 'd'\nbatch_rows = 10").unwrap();
    let mut reader = source.open(&partition, None).unwrap();
    reader.next_batch().unwrap().unwrap();
    std::fs::OpenOptions::new().write(true).open(folder.path("d/a.wav")).unwrap().set_len(100).unwrap();
    // The bytes that were read ahead may still come.
    let error = (0..10).find_map(|_| reader.next_batch().err());
    assert!(error.is_none_or(|error| error.to_string().contains("it is shorter")));
}

#[test]
fn several_channels_without_a_choice_and_a_channel_that_is_not_there_say_what_to_write() {
    let folder = Folder::new();
    folder.write_with("d/a.wav", spec(2, 8000, 16), |writer| (0..4i16).for_each(|n| writer.write_sample(n).unwrap()));
    let error = folder.connect("path = 'd'").err().unwrap();
    assert!(error.contains("source.s.channel") && error.contains("a.wav has 2 channels"), "{error}");
    assert!(error.contains("channel = 1"), "{error}");
    for channel in [0, 3] {
        let error = folder.connect(&format!("path = 'd'\nchannel = {channel}")).err().unwrap();
        assert!(error.contains(&format!("a.wav has no channel {channel}")) && error.contains("it has 2"), "{error}");
    }
}

#[test]
fn files_at_different_rates_are_refused_together() {
    let folder = Folder::new();
    folder.write_sound("d/a.wav", [1]);
    folder.write_with("d/b.wav", spec(1, 16_000, 16), |writer| writer.write_sample(1i16).unwrap());
    let error = folder.connect("path = 'd'").err().unwrap();
    assert!(error.contains("a.wav is at 8000 Hz but") && error.contains("b.wav at 16000 Hz"), "{error}");
}
