//! What every cell must keep: a window is so many steps, and the backward pass is its gradient. And literals of the cells that
//! PyTorch does not have.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use sluicegate_model::cell::{Cell, CellKind, CellShape, Windows};
use sluicegate_model::{BackendKind, Random};

const COUNT: usize = 3;
const STEPS: usize = 6;
/// Fewer than the steps, so that gradients also flow through steps without an output.
const OUTPUTS: usize = 2;
const INPUTS: usize = 3;

fn shapes() -> Vec<CellShape> {
    let recurrent = [CellKind::Lstm, CellKind::Gru, CellKind::GruResetBefore, CellKind::Rnn];
    let stacked = recurrent.into_iter().flat_map(|kind| [1, 2].map(|layers| (kind, layers)));
    // Fewer lags than steps, and more.
    let feed_forward = [1, 2, 8].map(|lags| (CellKind::Mlp { lags }, 1));
    let all = stacked.chain(feed_forward);
    all.map(|(kind, layers)| CellShape { layers, ..CellShape::new(kind, INPUTS, 4) }).collect()
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

/// Every shape on every backend that has it.
fn cells() -> Vec<(CellShape, BackendKind)> {
    let on = |shape: CellShape| backends(shape.kind).iter().map(move |backend| (shape, *backend));
    shapes().into_iter().flat_map(on).collect()
}

fn backends(kind: CellKind) -> &'static [BackendKind] {
    match kind {
        CellKind::Mlp { .. } => &[BackendKind::Libtorch],
        CellKind::Lstm | CellKind::Gru | CellKind::GruResetBefore | CellKind::Rnn => {
            &[BackendKind::Libtorch, BackendKind::Native]
        }
    }
}

impl Case {
    fn of(shape: CellShape, backend: BackendKind) -> Self {
        let mut random = Random::new(5);
        let parameters = shape.parameters().iter().map(|spec| spec.len()).sum();
        Self {
            cell: backend.cell(shape).unwrap(),
            parameters: numbers(&mut random, parameters, 0.9),
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
    assert!(expected.iter().any(|value| value.abs() > 0.02), "{what}: flat, so this checks nothing");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs();
        assert!(off < 2e-4 + 3e-3 * expected.abs(), "{what} {place}: {found} against {expected}");
    }
}

#[test]
fn a_window_is_so_many_steps_and_a_row_knows_nothing_of_those_beside_it() {
    for (shape, backend) in cells() {
        let mut case = Case::of(shape, backend);
        case.cell.load(&case.parameters).unwrap();
        let unrolled = case.cell.unroll(&case.windows).unwrap();
        let (mut together, mut alone) = (case.windows.states.clone(), case.windows.states.clone());
        let state_len = shape.state_len();
        for (step, inputs) in case.windows.inputs.chunks_exact(COUNT * INPUTS).enumerate() {
            case.cell.step(inputs, &mut together).unwrap();
            for (inputs, state) in inputs.chunks_exact(INPUTS).zip(alone.chunks_exact_mut(state_len)) {
                case.cell.step(inputs, state).unwrap();
            }
            assert_eq!(together, alone, "{shape:?} after step {step}");
            let Some(output) = step.checked_sub(STEPS - OUTPUTS) else { continue };
            for (row, state) in together.chunks_exact(state_len).enumerate() {
                let hidden = &unrolled[(output * COUNT + row) * shape.hidden..][..shape.hidden];
                for (a, b) in state[shape.output()].iter().zip(hidden) {
                    assert!((a - b).abs() < 1e-6, "{shape:?}, row {row} after step {step}: {a} against {b}");
                }
            }
        }
    }
}

#[test]
fn the_backward_pass_is_the_gradient_of_the_windows() {
    for (shape, backend) in cells() {
        let mut case = Case::of(shape, backend);
        let (parameters, inputs) = (case.parameters.clone(), case.windows.inputs.clone());
        let by_parameter = slopes(&parameters, |values| case.pulled(values, &inputs));
        let by_input = slopes(&inputs, |values| case.pulled(&parameters, values));

        let (mut gradient, mut d_inputs) = (vec![1.0; parameters.len()], vec![f32::NAN; 2]);
        case.pulled(&parameters, &inputs);
        case.cell.backward(&case.d_hidden, &mut gradient, Some(&mut d_inputs)).unwrap();
        // Gradients of parameters are added to what is there, those of inputs replace it.
        gradient.iter_mut().for_each(|g| *g -= 1.0);
        assert_close(&gradient, &by_parameter, &format!("{shape:?} on {backend:?}, parameter"));
        assert_close(&d_inputs, &by_input, &format!("{shape:?} on {backend:?}, input"));
    }
}

#[test]
fn asking_for_the_gradient_of_the_inputs_changes_no_bit_of_the_others() {
    for (shape, backend) in cells() {
        let mut case = Case::of(shape, backend);
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

#[test]
fn backends_agree() {
    for (inputs, hidden, layers) in [(1, 1, 1), (3, 5, 3), (8, 32, 1), (20, 64, 2), (7, 90, 3)] {
        for kind in [CellKind::Lstm, CellKind::Gru, CellKind::GruResetBefore, CellKind::Rnn] {
            let shape = CellShape { layers, ..CellShape::new(kind, inputs, hidden) };
            let [torch, native] = [BackendKind::Libtorch, BackendKind::Native].map(|backend| {
                let mut case = Case::of(shape, backend);
                // As large as weights begin.
                let parameters: Vec<f32> = case.parameters.iter().map(|w| w / (hidden as f32).sqrt()).collect();
                let seen = case.windows.inputs.clone();
                case.cell.load(&parameters).unwrap();
                let mut states = case.windows.states.clone();
                case.cell.step(&seen[..COUNT * inputs], &mut states).unwrap();
                case.pulled(&parameters, &seen);
                let d_states = case.cell.d_states(&case.d_hidden).unwrap();
                let (mut gradient, mut d_inputs) = (vec![0.0; parameters.len()], Vec::new());
                case.cell.backward(&case.d_hidden, &mut gradient, Some(&mut d_inputs)).unwrap();
                (states, gradient, d_inputs, d_states)
            });
            let far = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0f32, |far, (a, b)| far.max((a - b).abs()));
            let largest = torch.1.iter().fold(0.0f32, |largest, g| largest.max(g.abs()));
            assert!(far(&torch.0, &native.0) < 1e-6, "{shape:?}: states {}", far(&torch.0, &native.0));
            let gradient = far(&torch.1, &native.1) / largest;
            assert!(gradient < 1e-5, "{shape:?}: gradient {gradient} of the largest");
            assert!(far(&torch.2, &native.2) < 1e-5, "{shape:?}: inputs {}", far(&torch.2, &native.2));
            assert!(far(&torch.3, &native.3) < 1e-5, "{shape:?}: earlier states {}", far(&torch.3, &native.3));
        }
    }
}

#[test]
fn the_gradient_of_states_is_that_of_all_that_comes_after_them() {
    for (shape, backend) in cells() {
        let mut case = Case::of(shape, backend);
        let (parameters, state_len) = (case.parameters.clone(), shape.state_len());
        let inputs = case.windows.inputs.clone();
        case.pulled(&parameters, &inputs);
        let found = case.cell.d_states(&case.d_hidden).unwrap();
        assert_eq!(found.len(), STEPS * COUNT * state_len);
        let mut state = case.windows.states.clone();
        let mut expected = Vec::new();
        for step in 0..STEPS {
            let (here, after) = (step * COUNT * INPUTS, (step + 1) * COUNT * INPUTS);
            case.cell.step(&inputs[here..after], &mut state).unwrap();
            // From the state after this step: what is read from it, and what is unrolled from there on.
            let from_here = |values: &[f32]| {
                let mut state = values.to_vec();
                let mut sum = 0.0;
                for step in step..STEPS {
                    if step >= STEPS - OUTPUTS {
                        let d = case.d_hidden[(step + OUTPUTS - STEPS) * COUNT * shape.hidden..].chunks(shape.hidden);
                        for (state, d) in state.chunks_exact(state_len).zip(d) {
                            let read = state[shape.output()].iter().zip(d);
                            sum += read.map(|(h, d)| f64::from(*h) * f64::from(*d)).sum::<f64>();
                        }
                    }
                    if step + 1 < STEPS {
                        let inputs = &inputs[(step + 1) * COUNT * INPUTS..(step + 2) * COUNT * INPUTS];
                        case.cell.step(inputs, &mut state).unwrap();
                    }
                }
                sum
            };
            expected.extend(slopes(&state, from_here));
        }
        assert_close(&found, &expected, &format!("{shape:?} on {backend:?}, state"));
    }
}

#[test]
fn gates_are_told_with_the_states_that_they_make() {
    let [lstm, gru] = [CellKind::Lstm, CellKind::Gru].map(|kind| {
        let shape = CellShape { layers: 2, ..CellShape::new(kind, INPUTS, 4) };
        let mut case = Case::of(shape, BackendKind::Native);
        let windows = Windows {
            count: 1,
            outputs: STEPS,
            inputs: case.windows.inputs[..STEPS * INPUTS].to_vec(),
            states: case.windows.states[..shape.state_len()].to_vec(),
            ..case.windows
        };
        case.cell.load(&case.parameters).unwrap();
        let hidden = case.cell.unroll(&windows).unwrap();
        let top = windows.states[shape.output()].to_vec();
        (hidden, case.cell.gates().unwrap(), top)
    });
    let (hidden, trace, _) = lstm;
    assert_eq!((trace.names, trace.gates.len(), trace.cells.len()), (&["i", "f", "g", "o"][..], 2, 2));
    for (step, h) in hidden.chunks_exact(4).enumerate() {
        for (unit, h) in h.iter().enumerate() {
            let (o, c) = (trace.gates[1][step * 16 + 12 + unit], trace.cells[1][step * 4 + unit]);
            assert!((o * c.tanh() - h).abs() < 1e-6, "h is o tanh c");
        }
    }
    let (hidden, trace, mut before) = gru;
    assert_eq!((trace.names, trace.cells.concat()), (&["r", "z", "n"][..], Vec::new()));
    for (step, h) in hidden.chunks_exact(4).enumerate() {
        for (unit, h) in h.iter().enumerate() {
            let (z, n) = (trace.gates[1][step * 12 + 4 + unit], trace.gates[1][step * 12 + 8 + unit]);
            assert!(((1.0 - z) * n + z * before[unit] - h).abs() < 1e-6, "h is (1 - z) n + z h");
        }
        before = h.to_vec();
    }
}

#[test]
fn a_backend_that_does_not_tell_its_gates_says_so() {
    let mut case = Case::of(CellShape::new(CellKind::Lstm, INPUTS, 4), BackendKind::Libtorch);
    let parameters = case.parameters.clone();
    let inputs = case.windows.inputs.clone();
    case.pulled(&parameters, &inputs);
    let message = case.cell.gates().unwrap_err().to_string();
    assert!(message.starts_with("what gates did is not told by this backend (libtorch"), "{message}");
    assert!(message.contains("set `model.backend` to \"native\""), "{message}");
}

/// `amplitude · sin(0.37 i + offset)`.
fn wave(amplitude: f64, offset: f64, len: usize) -> Vec<f32> {
    (0..len).map(|i| (amplitude * (0.37 * i as f64 + offset).sin()) as f32).collect()
}

fn assert_equals(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{what}: {found} against {expected}");
    }
}

/// From NumPy:
///
/// ```python
/// import numpy as np
/// t = lambda offset, *shape: np.sin(0.37 * np.arange(np.prod(shape)) + offset).reshape(shape)
/// sigma = lambda a: 1 / (1 + np.exp(-a))
/// layers = [(t(0.1, 12, 3), t(0.7, 12, 4)), (t(1.3, 12, 4), t(1.9, 12, 4))]
/// h = [row for row in t(2.5, 2, 4)]
/// for x in t(3.1, 3, 3):
///     for layer, (w, u) in enumerate(layers):
///         (wr, wz, wn), (ur, uz, un) = np.split(w, 3), np.split(u, 3)
///         r, z = sigma(wr @ x + ur @ h[layer]), sigma(wz @ x + uz @ h[layer])
///         h[layer] = (1 - z) * h[layer] + z * np.tanh(wn @ x + un @ (r * h[layer]))
///         x = h[layer]
///     print(np.round(np.concatenate(h), 8).tolist())
/// ```
#[test]
fn the_gru_with_the_reset_gate_before_the_product_equals_its_equations() {
    const EXPECTED: [[f64; 8]; 3] = [
        [0.19172198, 0.60655185, 0.18917286, -0.44975897, -0.75923812, 0.43549511, 0.80805517, -0.83340729],
        [-0.36197994, 0.90458019, 0.27548753, -0.44234389, -0.19930751, 0.3686587, 0.39968347, -0.62569986],
        [-0.41001558, 0.83928137, 0.42219475, -0.374123, 0.22704775, 0.3910047, 0.13856063, -0.56269047],
    ];
    let lowest = CellShape::new(CellKind::GruResetBefore, 3, 4);
    let both = [lowest, CellShape { layers: 2, ..lowest }];
    for (shape, backend) in
        both.iter().flat_map(|shape| backends(shape.kind).iter().map(move |backend| (*shape, *backend)))
    {
        let mut cell = backend.cell(shape).unwrap();
        let tensors = shape.parameters().into_iter().zip([0.1, 0.7, 1.3, 1.9]);
        let parameters: Vec<f32> = tensors.flat_map(|(spec, offset)| wave(1.0, offset, spec.len())).collect();
        cell.load(&parameters).unwrap();
        let mut state = wave(1.0, 2.5, shape.state_len());
        for (step, (x, expected)) in wave(1.0, 3.1, 9).chunks_exact(3).zip(EXPECTED).enumerate() {
            cell.step(x, &mut state).unwrap();
            // The lowest layer does not see the one above it.
            assert_equals(&state, &expected[..shape.state_len()], &format!("{shape:?} after step {step}"));
        }
    }
}

/// From NumPy, with events before the first as zeros:
///
/// ```python
/// import numpy as np
/// t = lambda offset, *shape: np.sin(0.37 * np.arange(np.prod(shape)) + offset).reshape(shape)
/// w, b = 0.4 * t(0.1, 2, 9), t(0.7, 2)
/// seen = np.zeros(9)
/// for x in t(3.1, 5, 3):
///     seen = np.concatenate([x, seen[:6]])
///     print(np.round(np.tanh(w @ seen + b), 8).tolist())
/// ```
#[test]
fn the_mlp_sees_the_last_events_the_newest_first() {
    const EXPECTED: [[f64; 2]; 5] = [
        [0.37645897, 0.82481447],
        [-0.2090851, 0.9544445],
        [-0.60846208, 0.97765401],
        [-0.10371493, 0.87655125],
        [0.86910861, -0.05707512],
    ];
    let shape = CellShape::new(CellKind::Mlp { lags: 3 }, 3, 2);
    let mut cell = BackendKind::Libtorch.cell(shape).unwrap();
    cell.load(&[wave(0.4, 0.1, 18), wave(1.0, 0.7, 2)].concat()).unwrap();
    let mut state = vec![0.0; shape.state_len()];
    let inputs = wave(1.0, 3.1, 15);
    for (step, (x, expected)) in inputs.chunks_exact(3).zip(EXPECTED).enumerate() {
        cell.step(x, &mut state).unwrap();
        assert_equals(&state[..2], &expected, &format!("h after step {step}"));
    }
    assert_eq!(state[2..], [&inputs[12..], &inputs[9..12]].concat(), "the last inputs, the newest first");
}
