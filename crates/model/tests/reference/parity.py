"""Literals for the unit tests of the recurrent cells, the head and its loss, from PyTorch.

    python crates/model/tests/reference/parity.py crates/model/tests/data

prints Rust arrays and writes the same numbers to `parity.json`.

Every weight, input, state and label is given by one closed formula, so that a test can rebuild it:

    value(i) = amplitude * sin(0.37 * i + offset), computed in float64, then rounded to float32,

with i counting the elements of a tensor in row-major order from 0, and offset and amplitude per tensor as in FORMULA
below. What is computed from them is computed in float64 and printed with nine significant digits; float32 arithmetic comes
within about 1e-6 of it.

Two results per cell (D = 3 inputs, H = 4 hidden units, tensors laid out as PyTorch's nn.LSTM, nn.GRU and nn.RNN), for one
layer and, under names that end in -2, for two:

- three steps from a state that is not zero: h (and c) after each, of all layers from the lowest up;
- the mean Student-t negative log-likelihood over the last two of five steps from that same state, with two outputs (head
  rows 0, 1 locations; 2, 3 log-scales; degrees of freedom 2 + exp(head.df)), and its gradient by every parameter and by
  the inputs.

Needs: numpy, torch.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

INPUTS, HIDDEN, OUTPUTS = 3, 4, 2
STEPS_FORWARD = 3
STEPS_WINDOW, STEPS_TRAINED = 5, 2

# Tensor: (offset, amplitude). The window's first three inputs are the inputs of the three steps.
FORMULA = {
    "weight_ih_l0": (0.1, 0.4),
    "weight_hh_l0": (0.7, 0.4),
    "bias_ih_l0": (1.3, 0.4),
    "bias_hh_l0": (1.9, 0.4),
    "weight_ih_l1": (6.7, 0.4),
    "weight_hh_l1": (7.3, 0.4),
    "bias_ih_l1": (7.9, 0.4),
    "bias_hh_l1": (8.5, 0.4),
    "head.weight": (2.5, 0.4),
    "head.bias": (3.1, 0.4),
    "head.df": (3.7, 0.4),
    "inputs": (4.3, 1.0),
    "h0": (4.9, 0.4),
    "c0": (5.5, 0.4),
    "labels": (6.1, 2.0),
}


def tensor(name, *shape):
    offset, amplitude = FORMULA[name]
    index = np.arange(math.prod(shape))
    values = amplitude * np.sin(0.37 * index + offset)
    return torch.tensor(values.astype(np.float32).astype(np.float64).reshape(shape))


def lstm_step(p, x, state):
    """Gate blocks of H rows in the order input, forget, candidate, output."""
    h, c = state
    z = p["weight_ih_l0"] @ x + p["bias_ih_l0"] + p["weight_hh_l0"] @ h + p["bias_hh_l0"]
    i, f, g, o = z.split(HIDDEN)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_step(p, x, state):
    """Gate blocks of H rows in the order reset, update, candidate; the reset gate acts after the recurrent product."""
    (h,) = state
    input_r, input_z, input_n = (p["weight_ih_l0"] @ x + p["bias_ih_l0"]).split(HIDDEN)
    hidden_r, hidden_z, hidden_n = (p["weight_hh_l0"] @ h + p["bias_hh_l0"]).split(HIDDEN)
    r = (input_r + hidden_r).sigmoid()
    z = (input_z + hidden_z).sigmoid()
    n = (input_n + r * hidden_n).tanh()
    return ((1 - z) * n + z * h,)


def rnn_step(p, x, state):
    """One block of H rows, through tanh."""
    (h,) = state
    return ((p["weight_ih_l0"] @ x + p["bias_ih_l0"] + p["weight_hh_l0"] @ h + p["bias_hh_l0"]).tanh(),)


def student_t_nll(y, location, log_scale, raw_df):
    df = 2 + raw_df.exp()
    z = (y - location) / log_scale.exp()
    log_normalizer = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(math.pi * df)
    return log_scale - log_normalizer + (df + 1) / 2 * torch.log1p(z * z / df)


# Kind: (gates, step of one layer, PyTorch's module).
KINDS = {"lstm": (4, lstm_step, torch.nn.LSTM), "gru": (3, gru_step, torch.nn.GRU), "rnn": (1, rnn_step, torch.nn.RNN)}
# Cell: (kind, layers).
CELLS = {kind: (kind, 1) for kind in KINDS} | {f"{kind}-2": (kind, 2) for kind in KINDS}
LAYER = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


def initial_state(cell):
    """h, and for the LSTM c, each [layers, H]."""
    kind, layers = CELLS[cell]
    names = ["h0", "c0"] if kind == "lstm" else ["h0"]
    return tuple(tensor(name, layers, HIDDEN) for name in names)


def parameters(cell):
    kind, layers = CELLS[cell]
    rows = KINDS[kind][0] * HIDDEN
    shapes = {}
    for layer in range(layers):
        shapes |= {
            f"weight_ih_l{layer}": (rows, INPUTS if layer == 0 else HIDDEN),
            f"weight_hh_l{layer}": (rows, HIDDEN),
            f"bias_ih_l{layer}": (rows,),
            f"bias_hh_l{layer}": (rows,),
        }
    shapes |= {"head.weight": (2 * OUTPUTS, HIDDEN), "head.bias": (2 * OUTPUTS,), "head.df": (OUTPUTS,)}
    return {name: tensor(name, *shape).requires_grad_() for name, shape in shapes.items()}


def stacked_step(cell, p, x, state):
    """Each layer takes the hidden state of the one below as its input."""
    kind, layers = CELLS[cell]
    after = []
    for layer in range(layers):
        own = {f"{name}_l0": p[f"{name}_l{layer}"] for name in LAYER}
        after.append(KINDS[kind][1](own, x, tuple(part[layer] for part in state)))
        x = after[-1][0]
    return tuple(torch.stack(part) for part in zip(*after))


def run(cell):
    kind, layers = CELLS[cell]
    p = parameters(cell)
    inputs = tensor("inputs", STEPS_WINDOW, INPUTS).requires_grad_()
    labels = tensor("labels", STEPS_TRAINED, OUTPUTS)
    states = [initial_state(cell)]
    for x in inputs:
        states.append(stacked_step(cell, p, x, states[-1]))

    hidden = torch.stack([state[0][-1] for state in states[1:]])
    head = hidden[-STEPS_TRAINED:] @ p["head.weight"].T + p["head.bias"]
    location, log_scale = head.split(OUTPUTS, dim=1)
    loss = student_t_nll(labels, location, log_scale, p["head.df"]).mean()
    loss.backward()

    forward = states[1 : 1 + STEPS_FORWARD]
    results = {name: torch.stack([part.flatten() for part in parts]) for name, parts in zip("hc", zip(*forward))}
    results |= {"window.location": location, "window.log_scale": log_scale, "window.loss": loss}
    results |= {f"gradient.{name}": parameter.grad for name, parameter in p.items()}
    results["gradient.inputs"] = inputs.grad
    check_against_modules(cell, p, inputs, labels, results)
    return {name: value.detach() for name, value in results.items()}


def check_against_modules(cell, p, inputs, labels, results):
    """The formulas above, in float64, against PyTorch's own cells and Student-t distribution, in float64 and float32."""
    kind, layers = CELLS[cell]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
        layer = KINDS[kind][2](INPUTS, HIDDEN, layers, dtype=dtype)
        layer.load_state_dict({name: p[name].detach() for name in layer.state_dict()})
        head = {name: p[name].detach().to(dtype).requires_grad_() for name in ("head.weight", "head.bias", "head.df")}
        state = tuple(part.to(dtype) for part in initial_state(cell))
        state = state if kind == "lstm" else state[0]
        x = inputs.detach().to(dtype).requires_grad_()
        hidden, _ = layer(x, state)
        after = layer(x[:STEPS_FORWARD], state)[1]
        out = hidden[-STEPS_TRAINED:] @ head["head.weight"].T + head["head.bias"]
        location, log_scale = out.split(OUTPUTS, dim=1)
        distribution = torch.distributions.StudentT(2 + head["head.df"].exp(), location, log_scale.exp())
        loss = -distribution.log_prob(labels.to(dtype)).mean()
        loss.backward()
        theirs = {"window.loss": loss, "gradient.inputs": x.grad}
        ours = results | {name: results[name][-1] for name in "hc" if name in results}
        theirs |= {name: part.flatten() for name, part in zip("hc", after if kind == "lstm" else [after])}
        theirs |= {f"gradient.{name}": parameter.grad for name, parameter in [*layer.named_parameters(), *head.items()]}
        for name, value in theirs.items():
            difference = (value.detach().double() - ours[name].detach()).abs().max().item()
            assert difference < tolerance, f"{cell} {name} {dtype}: off by {difference}"


def rounded(values):
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.9g}")


def rust_type(shape):
    return "f64" if not shape else f"[{rust_type(shape[1:])}; {shape[0]}]"


def rust_value(values):
    if isinstance(values, list):
        return "[" + ", ".join(rust_value(value) for value in values) + "]"
    return repr(values)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: parity.py OUTPUT_FOLDER")
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    everything = {"formula": {name: {"offset": o, "amplitude": a} for name, (o, a) in FORMULA.items()}}
    for cell in CELLS:
        everything[cell] = {}
        for name, value in run(cell).items():
            values = rounded(value.tolist())
            everything[cell][name] = values
            constant = f"{cell}_{name}".replace(".", "_").replace("-", "_").upper()
            print(f"const {constant}: {rust_type(value.shape)} = {rust_value(values)};")
    (out / "parity.json").write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
