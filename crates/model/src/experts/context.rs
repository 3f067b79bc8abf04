//! What came last: where an expert looks up what mostly follows.

/// Experts of one target.
pub(super) const EXPERTS: usize = 15;
/// The longest context, in classes.
pub(super) const RECENT: usize = 8;
/// How many words a context is written in.
pub(super) const WORDS: usize = RECENT + 6;

/// Contexts of 0 to 6 classes, then of 8, the longest last. What is counted for one is not counted for shorter ones that knew it.
pub(super) const ORDERS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 13];
/// The others; all that follows is counted for them.
pub(super) const OTHERS: [usize; 7] = [7, 8, 9, 10, 11, 12, 14];
/// Whose distribution an expert's own counts are laid over; the first lies over even probabilities.
pub(super) const BELOW: [usize; EXPERTS] = [0, 0, 1, 2, 3, 4, 5, 2, 7, 2, 9, 10, 1, 6, 3];

/// Where β comes from: what the orders know, the last class, and how far into a word it is.
pub(super) const GATES: usize = 3;
/// Most letters of a word that are told apart.
pub(super) const LETTERS_MAX: u32 = 31;

/// Stands for a class that is no single character.
pub(crate) const NO_CHARACTER: u32 = u32::MAX;
/// Stands for a byte beyond ASCII, which is part of a letter more often than not.
pub(crate) const PART_OF_CHARACTER: u32 = char::REPLACEMENT_CHARACTER as u32;

/// What came last at one target of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// The newest first, each plus 1; 0 where there was none.
    recent: [u32; RECENT],
    /// Hashes: of the letters since the last that was none, of the word before, of the line so far, and of the last line that ended
    /// with a colon.
    word: u64,
    word_before: u64,
    line: u64,
    heading: u64,
    letters: u32,
    after_colon: bool,
}

impl Context {
    pub(super) fn from_words(words: &[u64]) -> Self {
        let mut context = Self::default();
        context.recent.iter_mut().zip(words).for_each(|(class, word)| *class = *word as u32);
        if let [word, word_before, line, heading, letters, after_colon] = words[RECENT..] {
            (context.word, context.word_before, context.line, context.heading) = (word, word_before, line, heading);
            context.letters = (letters as u32).min(LETTERS_MAX);
            context.after_colon = after_colon != 0;
        }
        context
    }

    pub(super) fn to_words(self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        words.iter_mut().zip(self.recent).for_each(|(word, class)| *word = u64::from(class));
        let Self { word, word_before, line, heading, letters, after_colon, .. } = self;
        words[RECENT..].copy_from_slice(&[word, word_before, line, heading, letters.into(), after_colon.into()]);
        words
    }

    /// A class has come, and it is this character, if any.
    pub(super) fn see(&mut self, class: u32, character: u32) {
        self.recent.rotate_right(1);
        self.recent[0] = class.wrapping_add(1);
        let own = u64::from(self.recent[0]);
        match folded(class, character) {
            Some(letter) => {
                self.word = mix(self.word, letter);
                self.letters = (self.letters + 1).min(LETTERS_MAX);
            }
            None => {
                if self.letters > 0 {
                    (self.word_before, self.word) = (self.word, 0);
                }
                self.letters = 0;
            }
        }
        if character == u32::from('\n') {
            if self.after_colon {
                self.heading = self.line;
            }
            self.line = 0;
        } else {
            self.line = mix(self.line, own);
        }
        self.after_colon = character == u32::from(':');
    }

    /// The last class plus 1, 0 before the first.
    pub(super) fn last(&self) -> u32 {
        self.recent[0]
    }

    /// How many letters of a word have come.
    pub(super) fn letters(&self) -> usize {
        self.letters as usize
    }

    /// Where each expert looks.
    pub(super) fn places(&self) -> [u64; EXPERTS] {
        let mut chain = [0; RECENT + 1];
        for (length, class) in self.recent.iter().enumerate() {
            chain[length + 1] = mix(chain[length], u64::from(*class));
        }
        let skipped = self.recent[1..4].iter().fold(1, |hash, class| mix(hash, u64::from(*class)));
        [
            chain[0],
            chain[1],
            chain[2],
            chain[3],
            chain[4],
            chain[5],
            chain[6],
            self.word,
            mix(self.word, self.word_before),
            chain[3],
            chain[4],
            chain[5],
            skipped,
            chain[8],
            mix(chain[3], self.heading),
        ]
    }
}

/// A letter, of whichever case it is written in.
fn folded(class: u32, character: u32) -> Option<u64> {
    if character == PART_OF_CHARACTER {
        return Some(u64::from(class) << 32 | u64::from(character));
    }
    let character = char::from_u32(character)?;
    let small = if character.is_uppercase() { character.to_lowercase().next().unwrap_or(character) } else { character };
    (character.is_alphabetic() || character == '\'').then_some(u64::from(small))
}

/// Mixes a number into a hash: the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
fn mix(hash: u64, value: u64) -> u64 {
    let mut z = hash ^ value.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Context {
        let mut context = Context::default();
        text.chars().for_each(|c| context.see(u32::from(c), u32::from(c)));
        context
    }

    #[test]
    fn orders_see_so_many_classes_and_no_more() {
        let (one, other) = (after("Xabcdefgh").places(), after("Yabcdefgh").places());
        assert_eq!(one[..7], other[..7]);
        assert_eq!(one[13], other[13], "eight are the same");
        let (one, other) = (after("..ab").places(), after("..bb").places());
        assert_eq!((one[0], one[1]), (other[0], other[1]));
        assert!(one[2] != other[2] && one[12] != other[12]);
        assert_ne!(after("a").places()[1], after("").places()[1], "no class is none of them");
        assert_eq!(after("uvwx").places()[12], after("uvwy").places()[12], "the last class is skipped");
    }

    #[test]
    fn words_are_letters_of_either_case_up_to_something_else() {
        let word = |text: &str| (after(text).places()[7], after(text).letters());
        assert_eq!(word("to Be"), word("not be"));
        assert_ne!(word("to be"), word("to bet"));
        assert_eq!(word("to be,").1, 0);
        let two = |text: &str| after(text).places()[8];
        assert_eq!(two("or not  t"), two("why not t"));
        assert_ne!(two("or not t"), two("or now t"));
    }

    #[test]
    fn a_heading_is_the_last_line_that_ended_with_a_colon() {
        let heading = |text: &str| after(text).places()[14];
        assert_eq!(heading("ROMEO:\nwhat\nabc"), heading("ROMEO:\nabc"));
        assert_ne!(heading("ROMEO:\nabc"), heading("JULIET:\nabc"));
        assert_eq!(heading("ROMEO:\nJULIET\nabc"), heading("ROMEO:\nabc"), "no colon, no heading");
    }

    #[test]
    fn a_context_survives_being_written_down() {
        let context = after("First Citizen:\nBefore we");
        assert_eq!(Context::from_words(&context.to_words()), context);
    }
}
