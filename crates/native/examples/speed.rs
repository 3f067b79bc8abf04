//! How long cells take: `cargo run --release -p sluicegate-native --example speed [HIDDEN …]`. Medians of many repetitions, in
//! nanoseconds, by instruction set: a step of one row, and of a row among 64; a window of eight events forward, and back.

use std::hint::black_box;
use std::time::Instant;

use sluicegate_native::{InstructionSet, Kind, Shape, Stack, Windows};

const INPUTS: usize = 8;
const STEPS: usize = 8;

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919) % 2003) as f32 / 2003.0 - 0.5).collect()
}

/// The median time of `work` in nanoseconds, over `parts`.
fn median(parts: usize, mut work: impl FnMut()) -> f64 {
    const SAMPLES: usize = 301;
    const REPEATS: u32 = 8;
    let mut times: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            (0..REPEATS).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / f64::from(REPEATS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[SAMPLES / 2] / parts as f64
}

fn main() {
    let hidden: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let hidden = if hidden.is_empty() { vec![32, 64, 128] } else { hidden };
    println!("cell hidden instructions     load     step  step/64  forward backward");
    for kind in [Kind::Lstm, Kind::Gru, Kind::Rnn] {
        for &hidden in &hidden {
            for instructions in InstructionSet::available() {
                let shape = Shape { kind, inputs: INPUTS, hidden, layers: 1, skip_connections: false };
                let mut stack = Stack::with_instructions(shape, instructions);
                let parameters = numbers(shape.parameters());
                let load = median(1, || stack.load(black_box(&parameters)));
                let mut step = |rows: usize| {
                    let (inputs, mut states) = (numbers(rows * INPUTS), numbers(rows * shape.state()));
                    median(rows, || stack.step(black_box(&inputs), &mut states))
                };
                let (one, many) = (step(1), step(64));
                let (inputs, states) = (numbers(STEPS * INPUTS), numbers(shape.state()));
                let windows = Windows { count: 1, steps: STEPS, outputs: 1, inputs: &inputs, states: &states };
                let forward = median(1, || {
                    black_box(stack.unroll(black_box(windows)));
                });
                let (d_hidden, mut gradient) = (numbers(shape.output()), vec![0.0; shape.parameters()]);
                let backward = median(1, || stack.backward(black_box(&d_hidden), &mut gradient, None));
                println!(
                    "{:<4} {hidden:>6} {:<12} {load:>8.0} {one:>8.0} {many:>8.0} {forward:>8.0} {backward:>8.0}",
                    format!("{kind:?}").to_lowercase(),
                    instructions.as_str(),
                );
            }
        }
    }
}
