//! What the cell sees of an event: its numbers as they are, and for each class among its input either a 1 in the place of that
//! class or a vector that is learned with everything else.

use crate::parameters::ParameterSpec;
use crate::random::Random;
use crate::wave::{Code, Dims, MISSING};

/// Stands in memory for a class that is missing.
const NO_CLASS: f32 = -1.0;

/// Turns an event as it is remembered, numbers and then the numbers of its classes, into what the cell sees. A missing class is
/// all zeros.
#[derive(Debug, Clone)]
pub(super) struct InputMap {
    numbers: usize,
    codes: Vec<Code>,
}

impl InputMap {
    pub(super) fn new(dims: &Dims) -> Self {
        Self { numbers: dims.inputs, codes: dims.codes.clone() }
    }

    /// Numbers that are remembered of an event.
    pub(super) fn stored(&self) -> usize {
        self.numbers + self.codes.len()
    }

    /// Numbers that the cell sees of it.
    pub(super) fn seen(&self) -> usize {
        self.numbers + self.codes.iter().map(Code::width).sum::<usize>()
    }

    /// Whether anything about it is learned.
    pub(super) fn is_learned(&self) -> bool {
        self.codes.iter().any(|code| code.embedding.is_some())
    }

    /// The learned vectors: `input.embedding.<place>`, `[classes, width]`, as PyTorch's `Embedding` has them.
    pub(super) fn parameters(&self) -> impl Iterator<Item = ParameterSpec> + '_ {
        self.codes.iter().enumerate().filter_map(|(place, code)| {
            let width = code.embedding?;
            Some(ParameterSpec::new(format!("input.embedding.{place}"), [code.classes, width]))
        })
    }

    /// Starting vectors, uniform with a mean square of 1 over a whole vector, so that a class weighs as much as one number.
    pub(super) fn init(&self, random: &mut Random, values: &mut [f32]) {
        let mut rest = values;
        for code in &self.codes {
            let Some(width) = code.embedding else { continue };
            let (here, after) = rest.split_at_mut(code.classes * width);
            random.fill_uniform((3.0 / width as f32).sqrt(), here);
            rest = after;
        }
    }

    /// Appends an event as it is remembered.
    pub(super) fn store(&self, numbers: &[f32], codes: &[u32], to: &mut Vec<f32>) {
        to.extend_from_slice(numbers);
        to.extend(codes.iter().map(|code| if *code == MISSING { NO_CLASS } else { *code as f32 }));
    }

    /// Writes what the cell sees of a remembered event, under these learned vectors.
    pub(super) fn expand(&self, stored: &[f32], vectors: &[f32], seen: &mut [f32]) {
        let (numbers, classes) = stored.split_at(self.numbers);
        let (numbers_seen, mut seen) = seen.split_at_mut(self.numbers);
        numbers_seen.copy_from_slice(numbers);
        let mut vectors = vectors;
        for (code, class) in self.codes.iter().zip(classes) {
            let (here, after) = seen.split_at_mut(code.width());
            seen = after;
            here.fill(0.0);
            let class = (*class >= 0.0).then_some(*class as usize);
            match code.embedding {
                Some(width) => {
                    let (own, others) = vectors.split_at(code.classes * width);
                    vectors = others;
                    if let Some(class) = class {
                        here.copy_from_slice(&own[class * width..][..width]);
                    }
                }
                None => {
                    if let Some(class) = class {
                        here[class] = 1.0;
                    }
                }
            }
        }
    }

    /// Adds to the gradient of the learned vectors what a gradient of what the cell saw of a remembered event says of them.
    pub(super) fn add_gradient(&self, stored: &[f32], d_seen: &[f32], d_vectors: &mut [f32]) {
        let mut d_seen = &d_seen[self.numbers..];
        let mut d_vectors = d_vectors;
        for (code, class) in self.codes.iter().zip(&stored[self.numbers..]) {
            let (here, after) = d_seen.split_at(code.width());
            d_seen = after;
            let Some(width) = code.embedding else { continue };
            let (own, others) = d_vectors.split_at_mut(code.classes * width);
            d_vectors = others;
            if *class >= 0.0 {
                let vector = &mut own[*class as usize * width..][..width];
                vector.iter_mut().zip(here).for_each(|(sum, d)| *sum += d);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> InputMap {
        let codes = vec![Code { classes: 3, embedding: None }, Code { classes: 2, embedding: Some(2) }];
        InputMap::new(&Dims { inputs: 1, codes, ..Dims::default() })
    }

    #[test]
    fn a_class_has_a_place_of_its_own_or_a_vector_and_a_missing_one_neither() {
        let (map, vectors) = (map(), [0.1, 0.2, 0.3, 0.4]);
        assert_eq!((map.stored(), map.seen()), (3, 6));
        let seen = |codes: &[u32]| {
            let (mut stored, mut seen) = (Vec::new(), vec![9.0; 6]);
            map.store(&[0.5], codes, &mut stored);
            map.expand(&stored, &vectors, &mut seen);
            seen
        };
        assert_eq!(seen(&[2, 1]), [0.5, 0.0, 0.0, 1.0, 0.3, 0.4]);
        assert_eq!(seen(&[MISSING, 0]), [0.5, 0.0, 0.0, 0.0, 0.1, 0.2]);
        assert_eq!(seen(&[0, MISSING]), [0.5, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_gradient_reaches_the_vector_of_the_class_that_was_seen_and_no_other() {
        let (map, mut d_vectors) = (map(), [1.0; 4]);
        let d_seen = [9.0, 9.0, 9.0, 9.0, 0.5, -2.0];
        map.add_gradient(&[0.5, 2.0, 1.0], &d_seen, &mut d_vectors);
        assert_eq!(d_vectors, [1.0, 1.0, 1.5, -1.0]);
        map.add_gradient(&[0.5, 2.0, NO_CLASS], &d_seen, &mut d_vectors);
        assert_eq!(d_vectors, [1.0, 1.0, 1.5, -1.0]);
    }
}
