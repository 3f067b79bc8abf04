//! How each kind of cell moves its state, and how a gradient goes back through one such move.
//!
//! Slices of `hidden` numbers are cut to length first, so that the loops over them are done many lanes at once.

use crate::activation::{sigmoid, tanh};
use crate::layer::Layer;
use crate::product;
use crate::shape::Kind;

/// What comes in and what goes on at one event.
pub(crate) struct Move<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) h: &'a mut [f32],
    /// Empty but for the LSTM.
    pub(crate) c: &'a mut [f32],
    /// What the gradient will need, [`Kind::saved`] vectors.
    pub(crate) saved: &'a mut [f32],
    /// `gates` vectors of scratch.
    pub(crate) recurrent: &'a mut [f32],
}

/// A gradient on its way back over one event.
pub(crate) struct Back<'a> {
    pub(crate) saved: &'a [f32],
    /// The state before the event.
    pub(crate) h: &'a [f32],
    pub(crate) c: &'a [f32],
    /// With respect to the state after the event, and then before it.
    pub(crate) d_h: &'a mut [f32],
    pub(crate) d_c: &'a mut [f32],
    /// Gives: with respect to W x + b.
    pub(crate) d_inner: &'a mut [f32],
    /// Gives: with respect to U h + b′, or U (r ⊙ h).
    pub(crate) d_recurrent: &'a mut [f32],
}

impl Layer {
    /// One event.
    #[inline(always)]
    pub(crate) fn advance(&self, event: Move<'_>) {
        match self.kind {
            Kind::Rnn => self.advance_rnn(event),
            Kind::Lstm => self.advance_lstm(event),
            Kind::Gru => self.advance_gru(event),
            Kind::GruResetBefore => self.advance_gru_reset_before(event),
        }
    }

    /// The gradient of [`Layer::advance`].
    #[inline(always)]
    pub(crate) fn retreat(&self, event: Back<'_>) {
        match self.kind {
            Kind::Rnn => self.retreat_rnn(event),
            Kind::Lstm => self.retreat_lstm(event),
            Kind::Gru => self.retreat_gru(event),
            Kind::GruResetBefore => self.retreat_gru_reset_before(event),
        }
    }

    #[inline(always)]
    fn advance_rnn(&self, Move { x, h, saved, .. }: Move<'_>) {
        saved.copy_from_slice(&self.bias_both);
        self.add_inputs(x, saved);
        self.add_recurrent(h, saved, 0);
        for (h, saved) in h.iter_mut().zip(saved) {
            *saved = tanh(*saved);
            *h = *saved;
        }
    }

    #[inline(always)]
    fn retreat_rnn(&self, Back { saved, d_h, d_inner, d_recurrent, .. }: Back<'_>) {
        for ((d_inner, d_h), h) in d_inner.iter_mut().zip(d_h.iter()).zip(saved) {
            *d_inner = d_h * (1.0 - h * h);
        }
        d_recurrent.copy_from_slice(d_inner);
        d_h.fill(0.0);
        self.pull_recurrent(d_recurrent, 0, d_h);
    }

    #[inline(always)]
    fn advance_lstm(&self, Move { x, h, c, saved, .. }: Move<'_>) {
        let hidden = self.hidden;
        let (gates, bent) = saved.split_at_mut(4 * hidden);
        gates.copy_from_slice(&self.bias_both);
        self.add_inputs(x, gates);
        self.add_recurrent(h, gates, 0);
        let [i, f, g, o] = quarters(gates, hidden);
        let (h, c, bent) = (&mut h[..hidden], &mut c[..hidden], &mut bent[..hidden]);
        for n in 0..hidden {
            (i[n], f[n], g[n], o[n]) = (sigmoid(i[n]), sigmoid(f[n]), tanh(g[n]), sigmoid(o[n]));
            c[n] = f[n] * c[n] + i[n] * g[n];
            bent[n] = tanh(c[n]);
            h[n] = o[n] * bent[n];
        }
    }

    #[inline(always)]
    fn retreat_lstm(&self, Back { saved, c, d_h, d_c, d_inner, d_recurrent, .. }: Back<'_>) {
        let hidden = self.hidden;
        let part = |place: usize| &saved[place * hidden..][..hidden];
        let (i, f, g, o, bent) = (part(0), part(1), part(2), part(3), part(4));
        let c = &c[..hidden];
        let [d_i, d_f, d_g, d_o] = quarters(d_inner, hidden);
        {
            let (d_h, d_c) = (&mut d_h[..hidden], &mut d_c[..hidden]);
            for n in 0..hidden {
                let d = d_c[n] + d_h[n] * o[n] * (1.0 - bent[n] * bent[n]);
                d_i[n] = d * g[n] * i[n] * (1.0 - i[n]);
                d_f[n] = d * c[n] * f[n] * (1.0 - f[n]);
                d_g[n] = d * i[n] * (1.0 - g[n] * g[n]);
                d_o[n] = d_h[n] * bent[n] * o[n] * (1.0 - o[n]);
                d_c[n] = d * f[n];
                d_h[n] = 0.0;
            }
        }
        d_recurrent.copy_from_slice(d_inner);
        self.pull_recurrent(d_recurrent, 0, d_h);
    }

    #[inline(always)]
    fn advance_gru(&self, Move { x, h, saved, recurrent, .. }: Move<'_>) {
        let hidden = self.hidden;
        let (gates, product) = saved.split_at_mut(3 * hidden);
        gates.copy_from_slice(&self.bias_inputs);
        self.add_inputs(x, gates);
        recurrent.copy_from_slice(&self.bias_recurrent);
        self.add_recurrent(h, recurrent, 0);
        let [r, z, n] = thirds(gates, hidden);
        let [u_r, u_z, u_n] = thirds(recurrent, hidden);
        let (h, product) = (&mut h[..hidden], &mut product[..hidden]);
        for k in 0..hidden {
            (r[k], z[k]) = (sigmoid(r[k] + u_r[k]), sigmoid(z[k] + u_z[k]));
            n[k] = tanh(n[k] + r[k] * u_n[k]);
            product[k] = u_n[k];
            h[k] = (1.0 - z[k]) * n[k] + z[k] * h[k];
        }
    }

    #[inline(always)]
    fn retreat_gru(&self, Back { saved, h, d_h, d_inner, d_recurrent, .. }: Back<'_>) {
        let hidden = self.hidden;
        let part = |place: usize| &saved[place * hidden..][..hidden];
        let (r, z, n, product) = (part(0), part(1), part(2), part(3));
        let h = &h[..hidden];
        let [d_r, d_z, d_n] = thirds(d_inner, hidden);
        let [u_r, u_z, u_n] = thirds(d_recurrent, hidden);
        {
            let d_h = &mut d_h[..hidden];
            for k in 0..hidden {
                d_n[k] = d_h[k] * (1.0 - z[k]) * (1.0 - n[k] * n[k]);
                d_z[k] = d_h[k] * (h[k] - n[k]) * z[k] * (1.0 - z[k]);
                d_r[k] = d_n[k] * product[k] * r[k] * (1.0 - r[k]);
                (u_r[k], u_z[k], u_n[k]) = (d_r[k], d_z[k], d_n[k] * r[k]);
                d_h[k] *= z[k];
            }
        }
        self.pull_recurrent(d_recurrent, 0, d_h);
    }

    #[inline(always)]
    fn advance_gru_reset_before(&self, Move { x, h, saved, .. }: Move<'_>) {
        let hidden = self.hidden;
        let (gates, reset) = saved.split_at_mut(3 * hidden);
        gates.fill(0.0);
        self.add_inputs(x, gates);
        let (opening, n) = gates.split_at_mut(2 * hidden);
        self.add_recurrent(h, opening, 0);
        let (r, z) = opening.split_at_mut(hidden);
        let (h, reset) = (&mut h[..hidden], &mut reset[..hidden]);
        for ((r, reset), h) in r.iter_mut().zip(reset.iter_mut()).zip(h.iter()) {
            *r = sigmoid(*r);
            *reset = *r * h;
        }
        self.add_recurrent(reset, n, 2 * hidden);
        for ((h, z), n) in h.iter_mut().zip(z).zip(n) {
            (*z, *n) = (sigmoid(*z), tanh(*n));
            *h = (1.0 - *z) * *h + *z * *n;
        }
    }

    #[inline(always)]
    fn retreat_gru_reset_before(&self, Back { saved, h, d_h, d_inner, d_recurrent, .. }: Back<'_>) {
        let hidden = self.hidden;
        let part = |place: usize| &saved[place * hidden..][..hidden];
        let (r, z, n) = (part(0), part(1), part(2));
        let h = &h[..hidden];
        {
            let [_, d_z, d_n] = thirds(d_inner, hidden);
            let d_h = &mut d_h[..hidden];
            for k in 0..hidden {
                d_n[k] = d_h[k] * z[k] * (1.0 - n[k] * n[k]);
                d_z[k] = d_h[k] * (n[k] - h[k]) * z[k] * (1.0 - z[k]);
                d_h[k] *= 1.0 - z[k];
            }
        }
        // With respect to r ⊙ h, in room that is free until the end.
        let d_reset = &mut d_recurrent[..hidden];
        d_reset.fill(0.0);
        self.pull_recurrent(&d_inner[2 * hidden..], 2 * hidden, d_reset);
        for (k, d_reset) in d_reset.iter().enumerate() {
            d_inner[k] = d_reset * h[k] * r[k] * (1.0 - r[k]);
            d_h[k] += d_reset * r[k];
        }
        self.pull_recurrent(&d_inner[..2 * hidden], 0, d_h);
        d_recurrent.copy_from_slice(d_inner);
    }

    /// `sum += W x`.
    #[inline(always)]
    fn add_inputs(&self, x: &[f32], sum: &mut [f32]) {
        let rows = self.rows();
        product::add(sum, x.len(), |k| x[k], &self.inputs_by_column, rows);
    }

    /// `sum += U h`, of the rows of U from `from` on.
    #[inline(always)]
    fn add_recurrent(&self, h: &[f32], sum: &mut [f32], from: usize) {
        let rows = self.rows();
        product::add(sum, h.len(), |k| h[k], &self.recurrent_by_column[from..], rows);
    }

    /// `d_h += Uᵀ d`, of the rows of U from `from` on.
    #[inline(always)]
    fn pull_recurrent(&self, d: &[f32], from: usize, d_h: &mut [f32]) {
        let width = self.hidden;
        product::add(d_h, d.len(), |k| d[k], &self.recurrent[from * width..], width);
    }

    /// `d_x = Wᵀ d`.
    #[inline(always)]
    pub(crate) fn pull_inputs(&self, d: &[f32], d_x: &mut [f32]) {
        d_x.fill(0.0);
        product::add(d_x, d.len(), |k| d[k], &self.inputs, d_x.len());
    }
}

#[inline(always)]
fn quarters(gates: &mut [f32], hidden: usize) -> [&mut [f32]; 4] {
    let (first, second) = gates.split_at_mut(2 * hidden);
    let (a, b) = first.split_at_mut(hidden);
    let (c, d) = second.split_at_mut(hidden);
    [&mut a[..hidden], &mut b[..hidden], &mut c[..hidden], &mut d[..hidden]]
}

#[inline(always)]
fn thirds(gates: &mut [f32], hidden: usize) -> [&mut [f32]; 3] {
    let (a, rest) = gates.split_at_mut(hidden);
    let (b, c) = rest.split_at_mut(hidden);
    [&mut a[..hidden], &mut b[..hidden], &mut c[..hidden]]
}
