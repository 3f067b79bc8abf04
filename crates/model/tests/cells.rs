//! What every cell must keep: its backward pass is the gradient of its windows.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use sluicegate_model::Random;
use sluicegate_model::cell::libtorch::TorchCell;
use sluicegate_model::cell::{Cell, CellKind, CellShape, Windows};

const COUNT: usize = 3;
const STEPS: usize = 6;
/// Fewer than the steps, so that gradients also flow through steps without an output.
const OUTPUTS: usize = 2;
const INPUTS: usize = 3;

fn shapes() -> Vec<CellShape> {
    let kinds = [CellKind::Lstm, CellKind::Gru, CellKind::Rnn];
    kinds.map(|kind| CellShape { kind, inputs: INPUTS, hidden: 4 }).to_vec()
}

fn numbers(random: &mut Random, count: usize, range: f32) -> Vec<f32> {
    let mut values = vec![0.0; count];
    random.fill_uniform(range, &mut values);
    values
}

/// A cell with a case to try it on.
struct Case {
    cell: Box<dyn Cell>,
    parameters: Vec<f32>,
    windows: Windows,
    d_hidden: Vec<f32>,
}

impl Case {
    fn of(shape: CellShape) -> Self {
        let mut random = Random::new(5);
        let parameters = shape.parameters().iter().map(|spec| spec.len()).sum();
        Self {
            cell: Box::new(TorchCell::new(shape).unwrap()),
            parameters: numbers(&mut random, parameters, 0.6),
            windows: Windows {
                count: COUNT,
                steps: STEPS,
                inputs: numbers(&mut random, STEPS * COUNT * shape.inputs, 1.0),
                states: numbers(&mut random, COUNT * shape.state_len(), 0.8),
                outputs: OUTPUTS,
            },
            d_hidden: numbers(&mut random, OUTPUTS * COUNT * shape.hidden, 1.0),
        }
    }

    /// Σ hidden ⊙ d_hidden, whose gradient [`Cell::backward`] gives.
    fn pulled(&mut self, parameters: &[f32], inputs: &[f32]) -> f64 {
        self.cell.load(parameters).unwrap();
        let windows = Windows { inputs: inputs.to_vec(), ..self.windows.clone() };
        let hidden = self.cell.unroll(&windows).unwrap();
        hidden.iter().zip(&self.d_hidden).map(|(h, d)| f64::from(*h) * f64::from(*d)).sum()
    }
}

/// The slope of `f` along each of `values`, by central differences.
fn slopes(values: &[f32], mut f: impl FnMut(&[f32]) -> f64) -> Vec<f64> {
    const STEP: f32 = 4e-3;
    let mut at = values.to_vec();
    let mut slopes = Vec::with_capacity(values.len());
    for (place, value) in values.iter().enumerate() {
        let (up, down) = (value + STEP, value - STEP);
        at[place] = up;
        let above = f(&at);
        at[place] = down;
        let below = f(&at);
        at[place] = *value;
        slopes.push((above - below) / f64::from(up - down));
    }
    slopes
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    assert!(expected.iter().any(|value| value.abs() > 0.05), "{what}: flat, so this checks nothing");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs();
        assert!(off < 1e-3 * (1.0 + expected.abs()), "{what} {place}: {found} against {expected}");
    }
}

#[test]
fn the_backward_pass_is_the_gradient_of_the_windows() {
    for shape in shapes() {
        let mut case = Case::of(shape);
        let (parameters, inputs) = (case.parameters.clone(), case.windows.inputs.clone());
        let by_parameter = slopes(&parameters, |values| case.pulled(values, &inputs));
        let by_input = slopes(&inputs, |values| case.pulled(&parameters, values));

        let (mut gradient, mut d_inputs) = (vec![1.0; parameters.len()], vec![f32::NAN; 2]);
        case.pulled(&parameters, &inputs);
        case.cell.backward(&case.d_hidden, &mut gradient, Some(&mut d_inputs)).unwrap();
        // Gradients of parameters are added to what is there, those of inputs replace it.
        gradient.iter_mut().for_each(|g| *g -= 1.0);
        assert_close(&gradient, &by_parameter, &format!("{shape:?}, parameter"));
        assert_close(&d_inputs, &by_input, &format!("{shape:?}, input"));
    }
}

#[test]
fn asking_for_the_gradient_of_the_inputs_changes_no_bit_of_the_others() {
    for shape in shapes() {
        let mut case = Case::of(shape);
        let (parameters, inputs) = (case.parameters.clone(), case.windows.inputs.clone());
        let mut gradients = [vec![0.0; parameters.len()], vec![0.0; parameters.len()]];
        let mut d_inputs = Vec::new();
        for (gradient, d_inputs) in gradients.iter_mut().zip([None, Some(&mut d_inputs)]) {
            case.pulled(&parameters, &inputs);
            case.cell.backward(&case.d_hidden, gradient, d_inputs).unwrap();
        }
        let [without, with] = gradients.map(|gradient| gradient.iter().map(|g| g.to_bits()).collect::<Vec<_>>());
        assert_eq!(without, with, "{shape:?}");
    }
}
