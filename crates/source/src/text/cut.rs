//! Where a piece ends.

use memchr::memrchr;

/// Bytes after a piece that have to be known to tell whether it would tear a character: one takes four at most.
pub(super) const LOOK_AHEAD_BYTES: usize = 3;

/// The length of the piece that `window` begins with, from 1 to `max`: up to the last line feed, else the last ASCII whitespace, else
/// the last whole character. What is no UTF-8 may be cut anywhere.
///
/// `max` is at least 4, and `window` is longer than that: it goes on behind the bound for [`LOOK_AHEAD_BYTES`], or to the end.
pub(super) fn piece_len(window: &[u8], max: usize) -> usize {
    let head = &window[..max.min(window.len())];
    let space = || head.iter().rposition(u8::is_ascii_whitespace);
    match memrchr(b'\n', head).or_else(space) {
        Some(place) => place + 1,
        None => torn_character(window, head.len()).unwrap_or(head.len()),
    }
}

/// Where the character begins that a cut at `at` would tear, if there is one.
fn torn_character(window: &[u8], at: usize) -> Option<usize> {
    let is_continued = |byte: u8| byte & 0xc0 == 0x80;
    let first = (at.saturating_sub(LOOK_AHEAD_BYTES)..at).rev().find(|place| !is_continued(window[*place]))?;
    let (sequence, before) = (&window[first..], at - first);
    let whole = match std::str::from_utf8(sequence) {
        Ok(text) => text.chars().next().map_or(0, char::len_utf8),
        Err(error) if error.valid_up_to() > 0 => {
            let valid = sequence.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
            valid.and_then(|text| text.chars().next()).map_or(0, char::len_utf8)
        }
        // It may go on behind what is known.
        Err(error) if error.error_len().is_none() => usize::MAX,
        Err(_) => 0,
    };
    (whole > before && first > 0).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(text: &[u8], max: usize) -> &[u8] {
        &text[..piece_len(text, max)]
    }

    #[test]
    fn a_piece_ends_with_a_line_else_a_word_else_a_character() {
        assert_eq!(first(b"one two\nthree four", 16), b"one two\n");
        assert_eq!(first(b"one two three four", 16), b"one two three ");
        assert_eq!(first(b"one\ttwothreefourfive", 16), b"one\t");
        assert_eq!(first(b"onetwothreefourfive", 16), b"onetwothreefourf");
        for (text, whole) in [("aaaüb", 3), ("aa中bb", 2), ("a🦀bbb", 1), ("aaa🦀bbb", 3)] {
            assert_eq!(first(text.as_bytes(), 4).len(), whole, "{text}");
        }
        assert_eq!(first("aa中b".as_bytes(), 5), "aa中".as_bytes());
    }

    #[test]
    fn what_is_no_utf8_is_cut_at_the_bound() {
        assert_eq!(first(b"aaa\xffbbb", 4), b"aaa\xff");
        assert_eq!(first(b"aaa\xe4bbb", 4), b"aaa\xe4", "no continuation follows");
        assert_eq!(first(b"\x80\x80\x80\x80\x80\x80", 4), b"\x80\x80\x80\x80");
        assert_eq!(first(b"aa\xc0\x80\x80\x80", 4), b"aa\xc0\x80", "an overlong form");
    }

    proptest! {
        #[test]
        fn pieces_of_text_are_text_and_give_it_again(text in "[a-z äß中🦀\n]{5,80}", max in 4usize..20) {
            let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
            while rest.len() > max {
                let window = &rest[..rest.len().min(max + LOOK_AHEAD_BYTES)];
                let len = piece_len(window, max);
                prop_assert!((1..=max).contains(&len));
                pieces.push(std::str::from_utf8(&rest[..len]).unwrap());
                rest = &rest[len..];
            }
            pieces.push(std::str::from_utf8(rest).unwrap());
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
