//! Steps and gradients of the cells against PyTorch, from `reference/parity.py`, which states the formula of every number.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::Value;
use sluicegate_model::BackendKind;
use sluicegate_model::cell::{CellKind, CellShape, Windows};
use sluicegate_model::head::{Head, Linear, StudentTHead};

const INPUTS: usize = 3;
const HIDDEN: usize = 4;
const OUTPUTS: usize = 2;
const STEPS: usize = 5;
const TRAINED: usize = 2;

struct Literals(Value);

impl Literals {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/parity.json");
        Self(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    /// The tensor that the formula of `name` gives.
    fn tensor(&self, name: &str, len: usize) -> Vec<f32> {
        let formula = &self.0["formula"][name];
        let (offset, amplitude) = (formula["offset"].as_f64().unwrap(), formula["amplitude"].as_f64().unwrap());
        (0..len).map(|i| (amplitude * (0.37 * i as f64 + offset).sin()) as f32).collect()
    }

    /// An expected result, flattened.
    fn expected(&self, shape: CellShape, name: &str) -> Vec<f64> {
        fn flatten(value: &Value, into: &mut Vec<f64>) {
            match value {
                Value::Array(values) => values.iter().for_each(|value| flatten(value, into)),
                other => into.push(other.as_f64().unwrap()),
            }
        }
        let mut values = Vec::new();
        let cell = match shape.layers {
            1 => shape.kind.as_str().to_owned(),
            layers => format!("{}-{layers}", shape.kind.as_str()),
        };
        flatten(&self.0[cell][name], &mut values);
        values
    }

    fn state(&self, shape: CellShape) -> Vec<f32> {
        let mut state = self.tensor("h0", shape.layers * HIDDEN);
        if shape.kind == CellKind::Lstm {
            state.extend(self.tensor("c0", shape.layers * HIDDEN));
        }
        state
    }
}

fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let off = (f64::from(*found) - expected).abs();
        assert!(off <= tolerance * largest.max(1e-3), "{what}: {found} against {expected}");
    }
}

fn assert_parity(kind: CellKind, layers: usize) {
    assert_parity_on(BackendKind::Libtorch, kind, layers);
    assert_parity_on(BackendKind::Native, kind, layers);
}

fn assert_parity_on(backend: BackendKind, kind: CellKind, layers: usize) {
    let literals = Literals::read();
    let shape = CellShape { layers, ..CellShape::new(kind, INPUTS, HIDDEN) };
    let specs = shape.parameters();
    let values: Vec<f32> = specs.iter().flat_map(|spec| literals.tensor(&spec.name, spec.len())).collect();
    let mut cell = backend.cell(shape).unwrap();
    cell.load(&values).unwrap();
    let inputs = literals.tensor("inputs", STEPS * INPUTS);

    let mut state = literals.state(shape);
    let h = layers * HIDDEN;
    for (step, expected) in literals.expected(shape, "h").chunks_exact(h).enumerate() {
        cell.step(&inputs[step * INPUTS..][..INPUTS], &mut state).unwrap();
        assert_close(&state[..h], expected, 1e-6, &format!("h after step {step}"));
        if kind == CellKind::Lstm {
            let expected = &literals.expected(shape, "c")[step * h..][..h];
            assert_close(&state[h..], expected, 1e-6, &format!("c after step {step}"));
        }
    }

    let states = literals.state(shape);
    let windows = Windows { count: 1, steps: STEPS, inputs, states, outputs: TRAINED };
    let unrolled = cell.unroll(&windows).unwrap();
    let linear = Linear { hidden: HIDDEN, outputs: 2 * OUTPUTS };
    let weight = literals.tensor("head.weight", linear.outputs * HIDDEN);
    let bias = literals.tensor("head.bias", linear.outputs);
    let own = literals.tensor("head.df", OUTPUTS);
    let labels = literals.tensor("labels", TRAINED * OUTPUTS);
    let mut head = StudentTHead::new(OUTPUTS);
    head.load(&own);
    let (mut d_weight, mut d_bias, mut d_own) = (vec![0.0; weight.len()], vec![0.0; bias.len()], vec![0.0; OUTPUTS]);
    let mut d_hidden = vec![0.0; unrolled.len()];
    let mut loss = 0.0;
    for step in 0..TRAINED {
        let (mut raw, mut d_raw) = (vec![0.0; linear.outputs], vec![0.0; linear.outputs]);
        let hidden = &unrolled[step * HIDDEN..][..HIDDEN];
        linear.forward(&weight, &bias, hidden, &mut raw);
        loss += head.loss(&own, &raw, &labels[step * OUTPUTS..][..OUTPUTS], &mut d_raw, &mut d_own);
        let d_hidden = &mut d_hidden[step * HIDDEN..][..HIDDEN];
        linear.backward(&weight, hidden, &d_raw, &mut d_weight, &mut d_bias, d_hidden);
    }
    let (mut gradient, mut d_inputs) = (vec![0.0; values.len()], Vec::new());
    cell.backward(&d_hidden, &mut gradient, Some(&mut d_inputs)).unwrap();

    let terms = (TRAINED * OUTPUTS) as f32;
    let mean = |sums: &[f32]| sums.iter().map(|sum| sum / terms).collect::<Vec<_>>();
    let expected_loss = literals.expected(shape, "window.loss")[0];
    assert!((loss / f64::from(terms) - expected_loss).abs() < 1e-6, "loss {loss} against {expected_loss}");
    let mut at = 0;
    for spec in &specs {
        let found = mean(&gradient[at..at + spec.len()]);
        at += spec.len();
        let name = format!("gradient.{}", spec.name);
        assert_close(&found, &literals.expected(shape, &name), 1e-5, &name);
    }
    let others = [("head.weight", &d_weight), ("head.bias", &d_bias), ("head.df", &d_own), ("inputs", &d_inputs)];
    for (name, sums) in others {
        let name = format!("gradient.{name}");
        assert_close(&mean(sums), &literals.expected(shape, &name), 1e-5, &name);
    }
}

#[test]
fn lstm_steps_and_gradients_equal_pytorch() {
    assert_parity(CellKind::Lstm, 1);
    assert_parity(CellKind::Lstm, 2);
}

#[test]
fn gru_steps_and_gradients_equal_pytorch() {
    assert_parity(CellKind::Gru, 1);
    assert_parity(CellKind::Gru, 2);
}

#[test]
fn rnn_steps_and_gradients_equal_pytorch() {
    assert_parity(CellKind::Rnn, 1);
    assert_parity(CellKind::Rnn, 2);
}
