//! What a file says of its encoding and length (RIFF WAVE; Microsoft and IBM, Multimedia Programming Interface and Data
//! Specifications 1.0, 1991, with the extensible header of 2001).

use parquet::file::reader::{ChunkReader, Length};

use super::clock::RATE_MAX;
use super::encoding::Encoding;
use crate::SourceError;
use crate::files::{Input, InputFile};

/// The tag and length of a chunk.
const CHUNK_BYTES: u64 = 8;
/// `RIFF`, a length that programs get wrong, `WAVE`.
const RIFF_BYTES: u64 = 12;
/// The chunk with the format, as far as all encodings have it.
const FORMAT_BYTES: usize = 16;
/// The same with the extension that says which encoding is meant.
const EXTENSIBLE_BYTES: usize = 40;
/// Chunks before the sound: more than any program writes, so that a damaged file is given up on.
const CHUNKS_MAX: usize = 1024;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) encoding: Encoding,
    pub(super) channels: u16,
    /// Samples per second, of each channel.
    pub(super) rate: u32,
    /// Where the first byte of sound is.
    pub(super) first_byte: u64,
    /// Samples of each channel.
    pub(super) samples: i64,
}

impl Header {
    /// Reads the header of a file, and looks whether all the sound is there that it promises.
    ///
    /// # Errors
    /// When it cannot be read, is none, or promises more than there is.
    pub(super) fn read(file: &InputFile) -> Result<Self, SourceError> {
        let input = file.open().map_err(|source| SourceError::Io { path: file.path.clone(), source })?;
        parse(&input).map_err(|problem| match problem {
            Problem::Unread(message) => SourceError::Header { path: file.path.clone(), message },
            Problem::Refused(message) => SourceError::NotWav { path: file.path.clone(), message },
        })
    }

    /// Bytes of one sample of all channels.
    pub(super) fn frame_bytes(&self) -> usize {
        self.encoding.width() * usize::from(self.channels)
    }
}

/// Why there is no header.
enum Problem {
    /// The system or the store did not give it.
    Unread(String),
    /// It is none that is read here.
    Refused(String),
}

fn refused<T>(message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Refused(message.into()))
}

fn parse(input: &Input) -> Result<Header, Problem> {
    let size = Length::len(input);
    let bytes = |at: u64, len: usize| {
        if at.saturating_add(len as u64) > size {
            return refused(format!("it ends within its header, after {size} bytes"));
        }
        input.get_bytes(at, len).map_err(|error| Problem::Unread(error.to_string()))
    };
    let riff = bytes(0, RIFF_BYTES as usize)?;
    if riff[..4] != *b"RIFF" || riff[8..] != *b"WAVE" {
        return refused("it does not begin as one, with RIFF and WAVE");
    }
    let mut format = None;
    let mut at = RIFF_BYTES;
    for _ in 0..CHUNKS_MAX {
        let chunk = bytes(at, CHUNK_BYTES as usize)?;
        let length = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        at += CHUNK_BYTES;
        match &chunk[..4] {
            b"fmt " => {
                let read = (length as usize).min(EXTENSIBLE_BYTES);
                format = Some(Format::parse(&bytes(at, read)?)?);
            }
            b"data" => match format {
                Some(format) => return format.with_data(at, u64::from(length), size - at),
                None => return refused("its sound comes before its format"),
            },
            _ => {}
        }
        // A chunk of odd length has a byte more, so that the next one begins at an even place.
        at += u64::from(length) + u64::from(length % 2);
    }
    refused(format!("there is no sound among its first {CHUNKS_MAX} chunks"))
}

/// What the chunk `fmt ` says.
#[derive(Debug, Clone, Copy)]
struct Format {
    encoding: Encoding,
    channels: u16,
    rate: u32,
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, Problem> {
        const PCM: u16 = 0x0001;
        const FLOAT: u16 = 0x0003;
        const EXTENSIBLE: u16 = 0xfffe;
        /// What follows the tag in the identifier of an encoding (KSDATAFORMAT_SUBTYPE_…).
        const SUBTYPE: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
        if chunk.len() < FORMAT_BYTES {
            return refused(format!("its format takes {} bytes, not {FORMAT_BYTES} or more", chunk.len()));
        }
        let u16_at = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let (mut tag, channels, block_bytes, bits) = (u16_at(0), u16_at(2), u16_at(12), u16_at(14));
        let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        if tag == EXTENSIBLE {
            if chunk.len() < EXTENSIBLE_BYTES || chunk[26..] != SUBTYPE {
                return refused("its encoding is none that has a name");
            }
            tag = u16_at(24);
        }
        let encoding = match tag {
            PCM => Encoding::pcm(bits),
            FLOAT => Encoding::float(bits),
            tag => {
                let message = format!("its encoding is {}, which is not read", name_of(tag));
                return refused(message);
            }
        };
        let Some(encoding) = encoding else {
            let kind = if tag == PCM { "PCM" } else { "floats" };
            return refused(format!("it holds {kind} of {bits} bits"));
        };
        if channels == 0 {
            return refused("it has no channel");
        }
        if !(1..=RATE_MAX).contains(&rate) {
            return refused(format!("its rate is {rate} Hz, not from 1 to {RATE_MAX}"));
        }
        if usize::from(block_bytes) != encoding.width() * usize::from(channels) {
            let message = format!(
                "{channels} channels of {bits} bits do not make the {block_bytes} bytes that it says a sample takes"
            );
            return refused(message);
        }
        Ok(Self { encoding, channels, rate })
    }

    /// With `length` bytes of sound from `first_byte` on, of which `there` are there.
    fn with_data(self, first_byte: u64, length: u64, there: u64) -> Result<Header, Problem> {
        let Self { encoding, channels, rate } = self;
        let sample_bytes = (encoding.width() * usize::from(channels)) as u64;
        if length > there {
            let message = format!(
                "its header promises {} samples, but it ends after {}",
                length / sample_bytes,
                there / sample_bytes
            );
            return refused(message);
        }
        if !length.is_multiple_of(sample_bytes) {
            return refused(format!("its {length} bytes of sound are no whole number of samples of {sample_bytes}"));
        }
        Ok(Header { encoding, channels, rate, first_byte, samples: (length / sample_bytes) as i64 })
    }
}

/// What an encoding is called.
fn name_of(tag: u16) -> String {
    match tag {
        0x0002 => "ADPCM (Microsoft)".to_owned(),
        0x0006 => "A-law".to_owned(),
        0x0007 => "mu-law".to_owned(),
        0x0011 => "ADPCM (IMA)".to_owned(),
        0x0031 => "GSM 6.10".to_owned(),
        0x0055 => "MP3".to_owned(),
        tag => format!("number {tag:#06x}"),
    }
}
