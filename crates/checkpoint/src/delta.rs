//! The difference between two states, as pieces that are the same and pieces that are new.
//!
//! States are cut where their content says (FastCDC: Xia et al., USENIX ATC 2016), so that rows put in at one place do not
//! move every cut after it. A difference is
//!
//! ```text
//! magic "sgd1" | length of the new state (u64) | pieces: 0 | offset in the base (u64) | length (u64)
//!                                                        1 | length (u64) | bytes
//! ```
//! all little-endian. Whether it was applied to the right base is for the hashes in the manifest to say.

use std::collections::HashMap;

use fastcdc::v2020::FastCDC;

const MAGIC: &[u8; 4] = b"sgd1";
/// Pieces are some 4 KiB: small enough that a key's few hundred bytes cost little, large enough that a piece's 17 bytes do.
const PIECE_BYTES: (usize, usize, usize) = (1024, 4096, 16_384);

/// Where the pieces of a state are, by their hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index(HashMap<[u8; 16], (u64, u64)>);

fn pieces(state: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (min, average, max) = PIECE_BYTES;
    let cuts = FastCDC::new(state, min, average, max);
    cuts.filter_map(|cut| state.get(cut.offset..cut.offset + cut.length))
}

fn hash(piece: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(piece).as_bytes()[..16]);
    short
}

impl Index {
    /// The pieces of a state.
    pub(crate) fn of(state: &[u8]) -> Self {
        let mut places = HashMap::new();
        let mut offset = 0u64;
        for piece in pieces(state) {
            places.entry(hash(piece)).or_insert((offset, piece.len() as u64));
            offset += piece.len() as u64;
        }
        Self(places)
    }
}

/// What makes the indexed state into `new`.
pub(crate) fn difference(base: &Index, new: &[u8]) -> Vec<u8> {
    let mut delta = MAGIC.to_vec();
    delta.extend((new.len() as u64).to_le_bytes());
    let mut copied: Option<(u64, u64)> = None;
    let mut literal: Vec<u8> = Vec::new();
    for piece in pieces(new) {
        match base.0.get(&hash(piece)) {
            Some(&(offset, length)) => {
                flush_literal(&mut delta, &mut literal);
                copied = match copied {
                    Some((start, so_far)) if start + so_far == offset => Some((start, so_far + length)),
                    other => {
                        flush_copy(&mut delta, other);
                        Some((offset, length))
                    }
                };
            }
            None => {
                flush_copy(&mut delta, copied.take());
                literal.extend_from_slice(piece);
            }
        }
    }
    flush_copy(&mut delta, copied);
    flush_literal(&mut delta, &mut literal);
    delta
}

fn flush_copy(delta: &mut Vec<u8>, copied: Option<(u64, u64)>) {
    if let Some((offset, length)) = copied {
        delta.push(0);
        delta.extend(offset.to_le_bytes());
        delta.extend(length.to_le_bytes());
    }
}

fn flush_literal(delta: &mut Vec<u8>, literal: &mut Vec<u8>) {
    if !literal.is_empty() {
        delta.push(1);
        delta.extend((literal.len() as u64).to_le_bytes());
        delta.append(literal);
    }
}

/// Applies a difference to its base; what is wrong with it, otherwise. Allocates no more than the pieces hold.
pub(crate) fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut rest = delta.strip_prefix(MAGIC).ok_or("it is no difference")?;
    let length = number(&mut rest)?;
    let mut state = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        let piece = match kind {
            0 => {
                let (offset, length) = (number(&mut rest)?, number(&mut rest)?);
                let end = offset.checked_add(length).ok_or("it copies beyond its base")?;
                base.get(offset as usize..end as usize).ok_or("it copies beyond its base")?
            }
            1 => {
                let length = number(&mut rest)?;
                let piece = usize::try_from(length).ok().and_then(|length| rest.get(..length));
                let piece = piece.ok_or("it is cut short")?;
                rest = &rest[piece.len()..];
                piece
            }
            _ => return Err("it has a piece of no known kind"),
        };
        state.extend_from_slice(piece);
        if state.len() as u64 > length {
            return Err("it is longer than it says");
        }
    }
    if state.len() as u64 == length { Ok(state) } else { Err("it is shorter than it says") }
}

fn number(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let (bytes, after) = rest.split_first_chunk::<8>().ok_or("it is cut short")?;
    *rest = after;
    Ok(u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        let mut reader = hasher.finalize_xof();
        out.resize(length, 0);
        reader.fill(&mut out);
        out
    }

    proptest! {
        #[test]
        fn a_difference_leads_from_the_base_to_the_new_state(
            base in 0usize..40_000, at in 0usize..40_000, cut in 0usize..9_000, put in 0usize..9_000,
        ) {
            let base = noise(base, 1);
            let mut new = base.clone();
            let at = at.min(new.len());
            let end = (at + cut).min(new.len());
            new.splice(at..end, noise(put, 2));
            let delta = difference(&Index::of(&base), &new);
            prop_assert_eq!(apply(&base, &delta), Ok(new));
        }

        #[test]
        fn damaged_differences_are_refused_and_never_panic(cut in 0usize..3_000, flip in 0usize..3_000) {
            let (base, new) = (noise(20_000, 1), noise(2_000, 3));
            let mut delta = difference(&Index::of(&base), &new);
            prop_assert!(apply(&base, &delta[..cut.min(delta.len() - 1)]).is_err());
            let place = flip % delta.len();
            delta[place] ^= 0x10;
            // It may still apply where the flip hits literal bytes; the hash of the result is what tells then.
            prop_assert_ne!(apply(&base, &delta), Ok(new));
        }
    }

    #[test]
    fn rows_put_in_the_middle_cost_little_more_than_themselves() {
        let base = noise(1 << 20, 1);
        let mut new = base.clone();
        new.splice(500_000..500_000, noise(300, 2));
        let delta = difference(&Index::of(&base), &new);
        assert!(delta.len() < 40_000, "{} bytes", delta.len());
    }
}
