//! The guarantees of the crate: the same bits in every batch and by all instructions, gradients that are ones.

use proptest::prelude::*;
use sluicegate_native::{InstructionSet, Kind, Shape, Stack, Windows};

const KINDS: [Kind; 4] = [Kind::Rnn, Kind::Lstm, Kind::Gru, Kind::GruResetBefore];

/// Numbers within ±`range` that depend on the seed.
fn numbers(seed: u64, count: usize, range: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * range
    };
    (0..count).map(|_| next()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

prop_compose! {
    fn shapes()(kind in 0..KINDS.len(), inputs in 1usize..21, hidden in 1usize..70, layers in 1usize..4, skip_connections: bool) -> Shape {
        Shape { kind: KINDS[kind], inputs, hidden, layers, skip_connections }
    }
}

/// What comes of random numbers by the given instructions: states, outputs, gradients.
fn everything(shape: Shape, instructions: InstructionSet, seed: u64) -> Vec<Vec<u32>> {
    let (count, steps, outputs) = (3, 5, 2);
    let mut stack = Stack::with_instructions(shape, instructions);
    stack.load(&numbers(seed, shape.parameters(), 0.6));
    let mut states = numbers(seed + 1, count * shape.state(), 0.9);
    let inputs = numbers(seed + 2, steps * count * shape.inputs, 3.0);
    let windows = Windows { count, steps, outputs, inputs: &inputs, states: &states };
    let out = stack.unroll(windows);
    let (mut gradient, mut d_inputs) = (vec![0.0; shape.parameters()], Vec::new());
    let d_states = stack.d_states(&numbers(seed + 3, out.len(), 1.0));
    stack.backward(&numbers(seed + 3, out.len(), 1.0), &mut gradient, Some(&mut d_inputs));
    stack.step(&inputs[..count * shape.inputs], &mut states);
    [&states, &out, &gradient, &d_inputs, &d_states].map(|values| bits(values)).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_instructions_give_the_same_bits(shape in shapes(), seed in 1u64..1_000_000) {
        let sets = InstructionSet::available();
        let expected = everything(shape, sets[0], seed);
        prop_assert!(expected.iter().flatten().all(|bits| f32::from_bits(*bits).is_finite()));
        for set in &sets[1..] {
            prop_assert_eq!(&everything(shape, *set, seed), &expected, "{} against {}", set.as_str(), sets[0].as_str());
        }
    }

    #[test]
    fn a_row_and_a_window_know_nothing_of_those_beside_them(shape in shapes(), seed in 1u64..1_000_000) {
        let (rows, steps) = (9, 4);
        let mut stack = Stack::new(shape);
        stack.load(&numbers(seed, shape.parameters(), 0.6));
        let states = numbers(seed + 1, rows * shape.state(), 0.9);
        let inputs = numbers(seed + 2, steps * rows * shape.inputs, 3.0);
        let mut together = states.clone();
        for inputs in inputs.chunks_exact(rows * shape.inputs) {
            stack.step(inputs, &mut together);
        }
        let windows = Windows { count: rows, steps, outputs: 1, inputs: &inputs, states: &states };
        let unrolled = stack.unroll(windows);
        for row in 0..rows {
            let mut alone = states[row * shape.state()..][..shape.state()].to_vec();
            for step in 0..steps {
                stack.step(&inputs[(step * rows + row) * shape.inputs..][..shape.inputs], &mut alone);
            }
            prop_assert_eq!(bits(&alone), bits(&together[row * shape.state()..][..shape.state()]));
            // A window is so many steps, to the last bit.
            let out = &alone[shape.layers * shape.hidden - shape.output()..][..shape.output()];
            prop_assert_eq!(bits(out), bits(&unrolled[row * shape.output()..][..shape.output()]));
        }
    }

    #[test]
    fn gradients_are_slopes(kind in 0..KINDS.len(), inputs in 1usize..4, hidden in 1usize..6, layers in 1usize..3, skip_connections: bool, seed in 1u64..1_000_000) {
        let shape = Shape { kind: KINDS[kind], inputs, hidden, layers, skip_connections };
        let (count, steps, outputs) = (2, 4, 2);
        let parameters = numbers(seed, shape.parameters(), 0.9);
        let states = numbers(seed + 1, count * shape.state(), 0.8);
        let x = numbers(seed + 2, steps * count * shape.inputs, 1.0);
        let d = numbers(seed + 3, outputs * count * shape.output(), 1.0);
        let mut stack = Stack::new(shape);
        let mut pulled = |parameters: &[f32], x: &[f32]| -> f64 {
            stack.load(parameters);
            let out = stack.unroll(Windows { count, steps, outputs, inputs: x, states: &states });
            out.iter().zip(&d).map(|(h, d)| f64::from(*h) * f64::from(*d)).sum()
        };
        let slope = |values: &[f32], place: usize, f: &mut dyn FnMut(&[f32]) -> f64| {
            let (mut up, mut down) = (values.to_vec(), values.to_vec());
            up[place] += 4e-3;
            down[place] -= 4e-3;
            (f(&up) - f(&down)) / f64::from(up[place] - down[place])
        };
        let by_parameter: Vec<f64> =
            (0..parameters.len()).map(|place| slope(&parameters, place, &mut |at| pulled(at, &x))).collect();
        let by_input: Vec<f64> = (0..x.len()).map(|place| slope(&x, place, &mut |at| pulled(&parameters, at))).collect();
        pulled(&parameters, &x);
        // Gradients of parameters are added to what is there, those of inputs replace it.
        let (mut gradient, mut d_inputs) = (vec![1.0; parameters.len()], vec![f32::NAN; 1]);
        stack.backward(&d, &mut gradient, Some(&mut d_inputs));
        gradient.iter_mut().for_each(|g| *g -= 1.0);
        for (found, expected) in gradient.iter().zip(&by_parameter).chain(d_inputs.iter().zip(&by_input)) {
            prop_assert!((f64::from(*found) - expected).abs() < 3e-4 + 3e-3 * expected.abs(), "{found} against {expected}");
        }
    }
}

#[test]
fn what_is_not_a_number_shows_in_its_own_row_only() {
    for kind in KINDS {
        let shape = Shape { kind, inputs: 2, hidden: 5, layers: 2, skip_connections: false };
        let mut stack = Stack::new(shape);
        stack.load(&numbers(3, shape.parameters(), 0.7));
        let mut states = vec![0.1; 2 * shape.state()];
        stack.step(&[f32::NAN, 0.0, 1.0, 0.0], &mut states);
        let (broken, whole) = states.split_at(shape.state());
        assert!(broken.iter().all(|value| value.is_nan()), "{kind:?}: {broken:?}");
        assert!(whole.iter().all(|value| value.is_finite()), "{kind:?}: {whole:?}");
    }
}
