//! The linear map from the hidden state to a head's raw numbers.
//!
//! Done row by row in a fixed order, so a row's result cannot depend on the rows beside it. It is small (hidden × a few
//! numbers per output) beside the cell.

const LANES: usize = 8;

/// Shape of the map `raw = weight · hidden + bias`, with `weight: [outputs, hidden]` row-major as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Width of the hidden state.
    pub hidden: usize,
    /// Numbers made from it.
    pub outputs: usize,
}

impl Linear {
    /// One row: `hidden: [hidden]` gives `raw: [outputs]`.
    pub fn forward(&self, weight: &[f32], bias: &[f32], hidden: &[f32], raw: &mut [f32]) {
        for ((raw, row), bias) in raw.iter_mut().zip(weight.chunks_exact(self.hidden)).zip(bias) {
            *raw = bias + dot(row, hidden);
        }
    }

    /// One row of the backward pass: adds to the gradients of weight and bias, and overwrites `d_hidden`.
    pub fn backward(
        &self,
        weight: &[f32],
        hidden: &[f32],
        d_raw: &[f32],
        d_weight: &mut [f32],
        d_bias: &mut [f32],
        d_hidden: &mut [f32],
    ) {
        d_hidden.fill(0.0);
        let rows = weight.chunks_exact(self.hidden).zip(d_weight.chunks_exact_mut(self.hidden));
        for (((row, d_row), d), d_bias) in rows.zip(d_raw).zip(d_bias) {
            *d_bias += d;
            for (((w, d_w), h), d_h) in row.iter().zip(d_row).zip(hidden).zip(d_hidden.iter_mut()) {
                *d_w += d * h;
                *d_h += d * w;
            }
        }
    }
}

/// Dot product in eight running sums, added up in a fixed order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h)) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backward_is_the_transpose_of_forward() {
        let map = Linear { hidden: 11, outputs: 3 };
        let weight: Vec<f32> = (0..33).map(|i| (i as f32 * 0.37).sin()).collect();
        let hidden: Vec<f32> = (0..11).map(|i| (i as f32 * 0.71).cos()).collect();
        let (bias, d_raw) = ([0.1, 0.2, 0.3], [1.0, -2.0, 0.5]);
        let mut raw = [0.0; 3];
        map.forward(&weight, &bias, &hidden, &mut raw);
        let by_hand: f32 = (0..11).map(|i| weight[11 + i] * hidden[i]).sum::<f32>() + 0.2;
        assert!((raw[1] - by_hand).abs() < 1e-5);

        let (mut d_weight, mut d_bias, mut d_hidden) = (vec![0.0; 33], vec![0.0; 3], vec![0.0; 11]);
        map.backward(&weight, &hidden, &d_raw, &mut d_weight, &mut d_bias, &mut d_hidden);
        assert_eq!(d_bias, d_raw);
        assert_eq!(d_weight[11 + 4], -2.0 * hidden[4]);
        let d_h4: f32 = (0..3).map(|o| d_raw[o] * weight[o * 11 + 4]).sum();
        assert!((d_hidden[4] - d_h4).abs() < 1e-5);
    }
}
