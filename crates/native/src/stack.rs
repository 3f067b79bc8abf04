//! Layers, one over the other.

use pulp::{Simd, WithSimd};

use crate::instructions::InstructionSet;
use crate::layer::Layer;
use crate::rule::Move;
use crate::shape::Shape;
use crate::tape::{DOut, DStates, Tape, Wanted};

/// Windows of equal length.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a> {
    /// How many.
    pub count: usize,
    /// Events in each; at least 1.
    pub steps: usize,
    /// Events at the end whose outputs are wanted; at most `steps`.
    pub outputs: usize,
    /// Inputs, time-major: `[steps, count, inputs]`.
    pub inputs: &'a [f32],
    /// States before the first event of each: `[count, state]`.
    pub states: &'a [f32],
}

/// A stack of cells; see the [crate's documentation](crate).
#[derive(Debug, Clone)]
pub struct Stack {
    shape: Shape,
    instructions: InstructionSet,
    layers: Vec<Layer>,
    tapes: Vec<Tape>,
    /// Windows of the last [`Stack::unroll`], and outputs of each.
    count: usize,
    outputs: usize,
    scratch: Scratch,
}

#[derive(Debug, Default, Clone)]
struct Scratch {
    saved: Vec<f32>,
    recurrent: Vec<f32>,
    /// What a layer hands to the one above.
    between: Vec<f32>,
    /// Gradients with respect to what a layer gives out and takes in.
    d_out: Vec<f32>,
    d_x: Vec<f32>,
    /// Of that what comes from the stack's outputs.
    d_read: Vec<f32>,
}

impl Stack {
    /// A stack whose parameters are all 0, done by the widest instructions there are.
    ///
    /// # Panics
    /// When a number of the shape is 0.
    pub fn new(shape: Shape) -> Self {
        Self::with_instructions(shape, InstructionSet::detect())
    }

    /// A stack that is done by the given instructions. They change how long it takes, and no bit of a result.
    ///
    /// # Panics
    /// When a number of the shape is 0.
    pub fn with_instructions(shape: Shape, instructions: InstructionSet) -> Self {
        assert!(shape.inputs > 0 && shape.hidden > 0 && shape.layers > 0, "{shape:?} has a 0 in it");
        Self {
            shape,
            instructions,
            layers: (0..shape.layers).map(|layer| Layer::new(&shape, layer)).collect(),
            tapes: vec![Tape::default(); shape.layers],
            count: 0,
            outputs: 0,
            scratch: Scratch::default(),
        }
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Takes new parameters, laid out as [`Shape::parameters`] says. Windows that were unrolled before are forgotten.
    ///
    /// # Panics
    /// When there are more or fewer than [`Shape::parameters`].
    pub fn load(&mut self, parameters: &[f32]) {
        assert_eq!(parameters.len(), self.shape.parameters(), "parameters of {:?}", self.shape);
        (self.count, self.outputs) = (0, 0);
        let mut rest = parameters;
        for (place, layer) in self.layers.iter_mut().enumerate() {
            let (here, after) = rest.split_at(self.shape.parameters_of(place));
            rest = after;
            layer.load(here);
        }
    }

    /// One event of each of several rows: `inputs: [rows, inputs]`, `states: [rows, state]`, moved in place.
    ///
    /// # Panics
    /// When the two are not of equally many rows.
    pub fn step(&mut self, inputs: &[f32], states: &mut [f32]) {
        let (width, state) = (self.shape.inputs, self.shape.state());
        let rows = inputs.len() / width;
        assert_eq!((inputs.len(), states.len()), (rows * width, rows * state), "inputs and states of a step");
        self.instructions.run(Step { stack: self, inputs, states });
    }

    /// Runs windows forward and returns what comes out at their last events: `[outputs, count, output]`.
    ///
    /// # Panics
    /// When inputs or states are not of the lengths that [`Windows`] states, or more outputs than steps are asked for.
    pub fn unroll(&mut self, windows: Windows<'_>) -> Vec<f32> {
        let Windows { count, steps, outputs, inputs, states } = windows;
        assert!(steps > 0 && outputs <= steps, "{outputs} outputs of {steps} steps");
        assert_eq!(inputs.len(), steps * count * self.shape.inputs, "inputs of windows");
        assert_eq!(states.len(), count * self.shape.state(), "states of windows");
        self.instructions.run(Unroll { stack: self, windows });
        (self.count, self.outputs) = (count, outputs);
        let (hidden, width) = (self.shape.hidden, self.shape.output());
        let mut out = vec![0.0; outputs * count * width];
        for (layer, tape) in self.tapes.iter().enumerate() {
            let Some(begin) = self.shape.output_of(layer) else { continue };
            for (place, out) in out.chunks_exact_mut(width).enumerate() {
                let event = place % count * steps + steps - outputs + place / count;
                out[begin..][..hidden].copy_from_slice(&tape.out[event * hidden..][..hidden]);
            }
        }
        out
    }

    /// Sends the gradient with respect to what the last [`Stack::unroll`] returned back through its windows, and adds the gradient
    /// with respect to the parameters to `gradient`, laid out as they are. Where `d_inputs` is given, its contents are replaced
    /// by the gradient with respect to the inputs, `[steps, count, inputs]`.
    ///
    /// # Panics
    /// When `d_hidden` or `gradient` are of other lengths.
    pub fn backward(&mut self, d_hidden: &[f32], gradient: &mut [f32], d_inputs: Option<&mut Vec<f32>>) {
        assert_eq!(d_hidden.len(), self.outputs * self.count * self.shape.output(), "gradient of what was unrolled");
        assert_eq!(gradient.len(), self.shape.parameters(), "gradient of {:?}", self.shape);
        self.instructions.run(Backward { stack: self, d_hidden, gradient: Some(gradient), d_inputs, d_states: None });
    }

    /// The gradient with respect to the state after each event of the windows of the last [`Stack::unroll`],
    /// `[steps, count, state]`, that is, to the state from which its events' outputs are read and the next event goes on. It says
    /// how much a loss at the end has to do with what was remembered then.
    ///
    /// # Panics
    /// When `d_hidden` is of another length.
    pub fn d_states(&mut self, d_hidden: &[f32]) -> Vec<f32> {
        assert_eq!(d_hidden.len(), self.outputs * self.count * self.shape.output(), "gradient of what was unrolled");
        let (state, count) = (self.shape.state(), self.count);
        let steps = self.steps();
        let mut by_window = vec![0.0; steps * count * state];
        let d_states = Some(by_window.as_mut_slice());
        self.instructions.run(Backward { stack: self, d_hidden, gradient: None, d_inputs: None, d_states });
        by_time(&by_window, steps, count, state)
    }

    /// What the gates of a layer did in the windows of the last [`Stack::unroll`].
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn gates(&self, layer: usize) -> Gates {
        let Shape { kind, hidden, .. } = self.shape;
        let (steps, count) = (self.steps(), self.count);
        let names = kind.gate_names();
        let (gates, cells) = self.tapes[layer].gates(kind, hidden);
        let cells_width = if kind.has_cell_state() { hidden } else { 0 };
        Gates {
            names,
            gates: by_time(&gates, steps, count, names.len() * hidden),
            cells: by_time(&cells, steps, count, cells_width),
        }
    }

    /// Events of each window of the last [`Stack::unroll`].
    fn steps(&self) -> usize {
        self.tapes.first().map_or(0, |tape| tape.steps)
    }
}

/// What the gates of a layer did in windows, by time: inner arrays are those of one event of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Gates {
    /// The names of the gates, see [`Kind::gate_names`](crate::Kind::gate_names).
    pub names: &'static [&'static str],
    /// What each let through, and the candidates g and n: `[steps, count, names, hidden]`.
    pub gates: Vec<f32>,
    /// The cell state after each event, `[steps, count, hidden]`; empty but for the LSTM.
    pub cells: Vec<f32>,
}

/// Rows of `width` numbers, one window after the other, put in the order of time.
fn by_time(values: &[f32], steps: usize, count: usize, width: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for step in 0..steps {
        for window in 0..count {
            out.extend_from_slice(&values[(window * steps + step) * width..][..width]);
        }
    }
    out
}

struct Step<'a> {
    stack: &'a mut Stack,
    inputs: &'a [f32],
    states: &'a mut [f32],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { stack, inputs, states } = self;
        let Stack { shape, layers, scratch, .. } = stack;
        let Scratch { saved, recurrent, between, .. } = scratch;
        let hidden = shape.hidden;
        saved.resize(shape.kind.saved() * hidden, 0.0);
        recurrent.resize(shape.kind.gates() * hidden, 0.0);
        between.resize(hidden, 0.0);
        for (x, state) in inputs.chunks_exact(shape.inputs).zip(states.chunks_exact_mut(shape.state())) {
            let (h, c) = state.split_at_mut(shape.layers * hidden);
            for (place, layer) in layers.iter().enumerate() {
                let x = if place == 0 { x } else { between.as_slice() };
                let h = &mut h[place * hidden..][..hidden];
                let c = if c.is_empty() { &mut [] } else { &mut c[place * hidden..][..hidden] };
                layer.advance(Move { x, h, c, saved, recurrent });
                between.copy_from_slice(h);
            }
        }
    }
}

struct Unroll<'a> {
    stack: &'a mut Stack,
    windows: Windows<'a>,
}

impl WithSimd for Unroll<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Windows { count, steps, inputs, states, .. } = self.windows;
        let Stack { shape, layers, tapes, .. } = self.stack;
        let (hidden, cells) = (shape.hidden, shape.kind.has_cell_state());
        for place in 0..shape.layers {
            let (below, from) = tapes.split_at_mut(place);
            let (Some(tape), Some(layer)) = (from.first_mut(), layers.get(place)) else { return };
            let width = shape.inputs_of(place);
            tape.steps = steps;
            tape.x.clear();
            match below.last() {
                Some(below) => tape.x.extend_from_slice(&below.out),
                None => {
                    for window in 0..count {
                        for step in 0..steps {
                            tape.x.extend_from_slice(&inputs[(step * count + window) * width..][..width]);
                        }
                    }
                }
            }
            let starts = states.chunks_exact(shape.state()).map(|state| {
                let (h, c) = state.split_at(shape.layers * hidden);
                (&h[place * hidden..][..hidden], if cells { &c[place * hidden..][..hidden] } else { &[] })
            });
            tape.run(layer, starts, width);
        }
    }
}

struct Backward<'a> {
    stack: &'a mut Stack,
    d_hidden: &'a [f32],
    gradient: Option<&'a mut [f32]>,
    d_inputs: Option<&'a mut Vec<f32>>,
    /// One window after the other.
    d_states: Option<&'a mut [f32]>,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { stack, d_hidden, mut gradient, d_inputs, mut d_states } = self;
        let Stack { shape, layers, tapes, count, outputs, scratch, .. } = stack;
        let (hidden, count, outputs) = (shape.hidden, *count, *outputs);
        let steps = tapes.first().map_or(0, |tape| tape.steps);
        let Scratch { d_out, d_x, d_read, .. } = scratch;
        d_out.clear();
        let cells = shape.layers * hidden;
        let mut end = shape.parameters();
        for place in (0..shape.layers).rev() {
            let begin = end - shape.parameters_of(place);
            let wants_inputs = place > 0 || d_inputs.is_some();
            d_read.clear();
            if let Some(begin) = shape.output_of(place) {
                d_read.resize(count * steps * hidden, 0.0);
                for (place, d) in d_hidden.chunks_exact(shape.output()).enumerate() {
                    let event = place % count * steps + steps - outputs + place / count;
                    d_read[event * hidden..][..hidden].copy_from_slice(&d[begin..][..hidden]);
                }
            }
            let wanted = Wanted {
                gradient: gradient.as_mut().map(|gradient| &mut gradient[begin..end]),
                d_x: wants_inputs.then_some(&mut *d_x),
                states: d_states.as_mut().map(|values| DStates {
                    values,
                    width: shape.state(),
                    h: place * hidden,
                    c: if shape.kind.has_cell_state() { cells + place * hidden } else { 0 },
                }),
            };
            tapes[place].pull(&layers[place], DOut { read: d_read, above: d_out }, wanted);
            std::mem::swap(d_out, d_x);
            end = begin;
        }
        if let Some(d_inputs) = d_inputs {
            // One window after the other, and now by time.
            let width = shape.inputs;
            *d_inputs = by_time(d_out, steps, count, width);
        }
    }
}
