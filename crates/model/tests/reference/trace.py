"""The learning order of Sluicegate's recurrent operators, stated a second time, and a trace of it to test against.

    python crates/model/tests/reference/trace.py crates/model/tests/data

writes `trace.safetensors` (an LSTM that forecasts one event ahead) and `trace_gru.safetensors` (a GRU that forecasts one
and three events ahead). Each file holds a small made-up stream, the parameters at the start, every forecast, and the
parameters at the end. The Rust operator, given the same stream, parameters and settings, must give the same forecasts.

This script favours plainness over speed: it handles one event at a time, keeps everything it has ever seen, runs every
window by itself, and leaves all gradients to PyTorch's autograd. It shares no code with the operator.

What happens at an event of a key, in this order:

1. The statistics of the key take in the event's values.
2. The step that lies `max(horizons)` events of this key back is now complete: all its labels are known. When the number of
   complete steps of the key is a multiple of `k1`, a training window falls due. It covers the last `k2` complete steps
   (fewer at the start of a key), begins from the recurrent state that was stored before its first step, and its loss is
   taken on its last `k1` steps. It waits as pending.
3. When the event closes an update span, that is when (row + 1) is a multiple of `update_every`, with `row` the event's index
   among the events of all keys, the pending windows make one optimizer step together.
4. The key's state moves one step, by the event's features, under the parameters of now.
5. The new state gives the forecasts.

Statistics are float64, the network is float32.

Needs: numpy, torch, safetensors.
"""

import json
import math
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

# Weights of the moving averages. Each starts as a plain mean: the n-th value enters with weight max(ALPHA, 1/n).
ALPHA_LEVEL = 0.002
ALPHA_SLOW = 0.002
ALPHA_FAST = 0.03

# No scale is smaller than a hundredth of the level's deviation, nor than a tiny absolute number.
FLOOR_OF_DEVIATION = 0.01
FLOOR_ABSOLUTE = 1e-8

CLIP_DIFFERENCE = 8.0
CLIP_LEVEL = 5.0
CLIP_LABEL = 20.0
LOG_SCALE_RANGE = (-6.0, 5.0)
RAW_DF_RANGE = (-2.0, 4.0)

GRADIENT_NORM_MAX = 10.0
RATE_START = 3e-3
RATE_MIN = 3e-4
RATE_DECAY_STEPS = 2000.0


@dataclass
class Settings:
    cell: str
    hidden: int
    horizons: list
    k1: int
    k2: int
    update_every: int
    interval_s: int
    targets: int = 2


# ---------------------------------------------------------------------------------------------------------------------
# Statistics of one key and target
# ---------------------------------------------------------------------------------------------------------------------


class MeanSquare:
    """Exponentially weighted mean of squares that starts as a plain mean."""

    def __init__(self, alpha):
        self.alpha = alpha
        self.count = 0
        self.value = 0.0

    def add(self, x):
        self.count += 1
        a = max(self.alpha, 1.0 / self.count)
        self.value += a * (x * x - self.value)


class TargetStatistics:
    """All that is known of one target of one key: level, differences, scales, and what was observed last at each event."""

    def __init__(self, horizons):
        self.count = 0
        self.mean = 0.0
        self.variance = 0.0
        self.slow = MeanSquare(ALPHA_SLOW)
        self.fast = {h: MeanSquare(ALPHA_FAST) for h in horizons}
        self.difference = 0.0  # of the present event; 0 where there is none
        self.last = []  # per event: the last observed value as of then, NaN before the first

    def observe(self, y):
        """Takes in the value of the next event. NaN is a missing value: it moves nothing."""
        self.difference = 0.0
        if math.isnan(y):
            self.last.append(self.last[-1] if self.last else math.nan)
            return
        self.count += 1
        a = max(ALPHA_LEVEL, 1.0 / self.count)
        d = y - self.mean
        self.mean += a * d
        self.variance = (1.0 - a) * (self.variance + a * d * d)

        before = self.last_before(1)
        if not math.isnan(before):
            self.difference = y - before
            self.slow.add(self.difference)
        for h, square in self.fast.items():
            earlier = self.last_before(h)
            if not math.isnan(earlier):
                square.add(y - earlier)
        self.last.append(y)

    def last_before(self, h):
        """What was observed last as of `h` events before the one that is being taken in."""
        return self.last[-h] if len(self.last) >= h else math.nan

    def floored(self, mean_square):
        deviation = math.sqrt(self.variance)
        return max(math.sqrt(mean_square), FLOOR_OF_DEVIATION * deviation, FLOOR_ABSOLUTE)

    def scale(self, h):
        """The running size of a difference over `h` events; NaN until the first such difference."""
        return self.floored(self.fast[h].value) if self.fast[h].count else math.nan

    def features(self):
        difference = self.difference / self.floored(self.slow.value)
        level = 0.0
        if self.count:
            level = (self.last[-1] - self.mean) / max(math.sqrt(self.variance), FLOOR_ABSOLUTE)
        return [clip(difference, CLIP_DIFFERENCE), clip(level, CLIP_LEVEL)]


def clip(x, limit):
    return max(-limit, min(limit, x))


def calendar_features(time_us):
    """Time of day (24 h and 12 h waves) and day of the week (Monday 0, whole days) of a UTC time."""
    seconds = time_us / 1e6
    day = 2.0 * math.pi * (seconds % 86_400.0) / 86_400.0
    week = 2.0 * math.pi * datetime.fromtimestamp(seconds, timezone.utc).weekday() / 7.0
    return [math.sin(day), math.cos(day), math.sin(2 * day), math.cos(2 * day), math.sin(week), math.cos(week)]


# ---------------------------------------------------------------------------------------------------------------------
# Network: a recurrent layer, a linear head, and one free parameter per output for the degrees of freedom
# ---------------------------------------------------------------------------------------------------------------------


class ClampPassingGradient(torch.autograd.Function):
    """Clamps on the way forward, and hands the gradient back as if it had not."""

    @staticmethod
    def forward(_ctx, x, low, high):
        return x.clamp(low, high)

    @staticmethod
    def backward(_ctx, gradient):
        return gradient, None, None


class Network(torch.nn.Module):
    """Output k = target * len(horizons) + horizon index. Head rows 0..K are locations, rows K..2K log-scales."""

    def __init__(self, settings, inputs):
        super().__init__()
        layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[settings.cell]
        self.is_lstm = settings.cell == "lstm"
        self.hidden = settings.hidden
        self.outputs = settings.targets * len(settings.horizons)
        self.cell = layer(inputs, settings.hidden)
        self.head = torch.nn.Linear(settings.hidden, 2 * self.outputs)
        self.df = torch.nn.Parameter(torch.zeros(self.outputs))

    def named(self):
        """The parameters by the names they have in a checkpoint."""
        tensors = dict(self.cell.named_parameters())
        tensors.update({"head.weight": self.head.weight, "head.bias": self.head.bias, "head.df": self.df})
        return tensors

    def zero_state(self):
        zero = self.df.new_zeros(1, 1, self.hidden)
        return (zero, zero.clone()) if self.is_lstm else zero

    def forward(self, inputs, state):
        """inputs [steps, D] -> location, log-scale [steps, K], and the state after the last step."""
        hidden, state = self.cell(inputs.unsqueeze(1), state)
        location, log_scale = self.head(hidden.squeeze(1)).split(self.outputs, dim=1)
        return location, ClampPassingGradient.apply(log_scale, *LOG_SCALE_RANGE), state


def student_t_nll(y, location, log_scale, raw_df):
    df = 2.0 + raw_df.exp()
    z = (y - location) / log_scale.exp()
    log_normalizer = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(math.pi * df)
    return log_scale - log_normalizer + (df + 1) / 2 * torch.log1p(z * z / df)


# ---------------------------------------------------------------------------------------------------------------------
# The operator
# ---------------------------------------------------------------------------------------------------------------------


class Key:
    """All steps of one key so far."""

    def __init__(self, settings, network):
        self.statistics = [TargetStatistics(settings.horizons) for _ in range(settings.targets)]
        self.observed = []  # per step, per target: was there a value?
        self.scales = []  # per step, per target, per horizon: scale as of the step
        self.inputs = []  # per step: features
        self.states = [network.zero_state()]  # states[s] is the state before step s, as it was computed then


class Operator:
    def __init__(self, settings, initial, dtype):
        self.settings = settings
        self.dtype = dtype
        inputs = 2 * settings.targets + 6
        self.network = Network(settings, inputs).to(dtype)
        with torch.no_grad():
            for name, parameter in self.network.named().items():
                parameter.copy_(initial[name])
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE_START, betas=(0.9, 0.999), eps=1e-8)
        self.keys = {}
        self.rows = 0
        self.pending = []
        self.steps = 0
        self.losses = []
        self.gradient_norms = []

    def event(self, time_us, key_id, y):
        """Handles one event; gives its features and the forecasts mean, scale, df [targets, horizons] made at it."""
        s = self.settings
        key = self.keys.setdefault(key_id, Key(s, self.network))

        # 1. Statistics.
        for statistics, value in zip(key.statistics, y):
            statistics.observe(value)
        key.observed.append([not math.isnan(value) for value in y])
        key.scales.append([[statistics.scale(h) for h in s.horizons] for statistics in key.statistics])

        # 2. A step becomes complete, and perhaps a window falls due.
        now = len(key.observed) - 1
        complete = now - max(s.horizons) + 1
        if complete > 0 and complete % s.k1 == 0:
            self.pending.append(self.window(key, first=max(0, complete - s.k2), end=complete))

        # 3. Perhaps an update span closes.
        self.rows += 1
        if self.rows % s.update_every == 0:
            self.learn()

        # 4. The key's state moves on, also where no forecast is possible yet.
        features = [x for statistics in key.statistics for x in statistics.features()]
        features += calendar_features(time_us + s.interval_s * 1_000_000)
        key.inputs.append(torch.tensor(features, dtype=self.dtype))
        with torch.no_grad():
            location, log_scale, state = self.network(key.inputs[-1].unsqueeze(0), key.states[-1])
        key.states.append(state)

        # 5. Forecasts in the target's own units.
        shape = (s.targets, len(s.horizons))
        last = np.array([statistics.last[-1] for statistics in key.statistics])[:, None]
        scale = np.array(key.scales[-1])
        location = location.double().numpy().reshape(shape)
        spread = log_scale.double().exp().numpy().reshape(shape)
        df = 2.0 + self.network.df.detach().double().exp().numpy().reshape(shape)
        return features, last + scale * location, scale * spread, np.where(np.isnan(scale), np.nan, df)

    def window(self, key, first, end):
        """A copy of what is needed to train on the steps first..end of a key: later events cannot change it."""
        trained = range(max(first, end - self.settings.k1), end)
        outputs = [(j, i) for j in range(self.settings.targets) for i in range(len(self.settings.horizons))]
        labels = [[self.label(key, step, j, i) for j, i in outputs] for step in trained]
        return key.states[first], torch.stack(key.inputs[first:end]), torch.tensor(labels, dtype=self.dtype)

    def label(self, key, step, j, i):
        """What the network should have said at a step: the coming difference in units of the scale of then, or NaN."""
        later = step + self.settings.horizons[i]
        if not key.observed[later][j]:
            return math.nan
        last = key.statistics[j].last
        return clip_or_nan((last[later] - last[step]) / key.scales[step][j][i], CLIP_LABEL)

    def learn(self):
        """One optimizer step on the mean of all known terms of all pending windows; none where no term is known."""
        windows, self.pending = self.pending, []
        terms = []
        for state, inputs, labels in windows:
            location, log_scale, _ = self.network(inputs, state)
            trained = len(labels)
            known = ~labels.isnan()
            raw_df = self.network.df.expand_as(labels)
            location, log_scale = location[-trained:], log_scale[-trained:]
            terms.append(student_t_nll(labels[known], location[known], log_scale[known], raw_df[known]))
        if not terms or not sum(len(t) for t in terms):
            return
        loss = torch.cat(terms).mean()
        self.optimizer.zero_grad()
        loss.backward()

        parameters = list(self.network.parameters())
        norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters))
        if norm > GRADIENT_NORM_MAX:
            for p in parameters:
                p.grad *= GRADIENT_NORM_MAX / norm
        self.optimizer.param_groups[0]["lr"] = max(RATE_MIN, RATE_START / math.sqrt(1.0 + self.steps / RATE_DECAY_STEPS))
        self.optimizer.step()
        with torch.no_grad():
            self.network.df.clamp_(*RAW_DF_RANGE)
        self.steps += 1
        self.losses.append(loss.item())
        self.gradient_norms.append(norm)


def clip_or_nan(x, limit):
    return math.nan if math.isnan(x) else clip(x, limit)


# ---------------------------------------------------------------------------------------------------------------------
# The made-up stream, the parameters at the start, and the files
# ---------------------------------------------------------------------------------------------------------------------


def made_up_events(n, seed):
    """Seven keys that report at quarter hours, some always, some seldom; two targets of very different size.

    The first target is a noisy daily wave around a level of some hundreds, the second a small autoregressive series.
    A few values are missing. Key 3's second target does not move at first (its scale is then the absolute floor), key 4's
    first target is unknown at first, and key 0 has one spike in each target (features and labels meet their clips).
    """
    rng = np.random.default_rng(seed)
    reports = [0.97, 0.9, 0.7, 0.5, 0.3, 0.15, 0.08]
    start = int(datetime(2024, 3, 3, 10, 0, tzinfo=timezone.utc).timestamp())
    noise = np.zeros((len(reports), 2))
    seen = np.zeros(len(reports), int)
    time_us, keys, values = [], [], []
    tick = 0
    while len(keys) < n:
        noise = 0.8 * noise + rng.standard_normal(noise.shape) * [6.0, 0.004]
        for key, probability in enumerate(reports):
            if rng.random() >= probability or len(keys) == n:
                continue
            wave = 40.0 * math.sin(2 * math.pi * tick / 96 + key)
            y = np.array([300.0 + 50.0 * key + wave, 0.02 * key]) + noise[key]
            if key == 0 and seen[key] == 110:
                y += [900.0, -0.5]
            if key == 3 and seen[key] < 12:
                y[1] = 0.0625
            y[rng.random(2) < 0.04] = np.nan
            if key == 4 and seen[key] < 3:
                y[0] = np.nan
            seen[key] += 1
            time_us.append((start + 900 * tick) * 1_000_000 + 1_370_000 * key)
            keys.append(key)
            values.append(y)
        tick += 1
    return np.array(time_us), np.array(keys), np.array(values)


def initial_parameters(settings, seed, log_scale_bias):
    """The operator's initial distribution, but for the head, which is not zero here so that all gradients flow at once."""
    rng = np.random.default_rng(seed)
    inputs, hidden = 2 * settings.targets + 6, settings.hidden
    outputs = settings.targets * len(settings.horizons)
    gates = {"lstm": 4, "gru": 3}[settings.cell]

    def uniform(limit, *shape):
        return torch.tensor(rng.uniform(-limit, limit, shape), dtype=torch.float32)

    bias = torch.zeros(gates * hidden)
    if settings.cell == "lstm":
        bias[hidden : 2 * hidden] = 1.0  # forget gate
    head_bias = torch.zeros(2 * outputs)
    head_bias[outputs:] = torch.tensor(log_scale_bias)
    return {
        "weight_ih_l0": uniform(math.sqrt(3.0 / (inputs + hidden)), gates * hidden, inputs),
        "weight_hh_l0": uniform(1.0 / math.sqrt(hidden), gates * hidden, hidden),
        "bias_ih_l0": bias,
        "bias_hh_l0": torch.zeros(gates * hidden),
        "head.weight": uniform(0.2, 2 * outputs, hidden),
        "head.bias": head_bias,
        "head.df": torch.full((outputs,), math.log(6.0)),
    }


def run(settings, initial, events, dtype):
    operator = Operator(settings, initial, dtype)
    features, mean, scale, df, steps = [], [], [], [], []
    for time_us, key, y in zip(*events):
        outcome = operator.event(int(time_us), int(key), [float(value) for value in y])
        for series, value in zip((features, mean, scale, df), outcome):
            series.append(value)
        steps.append(operator.steps)
    expected = {
        "expected.features": torch.tensor(features, dtype=torch.float32),
        "expected.mean": torch.tensor(np.array(mean)),
        "expected.scale": torch.tensor(np.array(scale)),
        "expected.df": torch.tensor(np.array(df)),
        "expected.steps": torch.tensor(steps),
        "expected.loss": torch.tensor(operator.losses, dtype=torch.float64),
        "expected.gradient_norm": torch.tensor(operator.gradient_norms, dtype=torch.float64),
    }
    final = {f"final.{name}": p.detach().clone().contiguous() for name, p in operator.network.named().items()}
    return expected, final


def write_trace(path, settings, seed, log_scale_bias):
    events = made_up_events(500, seed)
    initial = initial_parameters(settings, seed + 1, log_scale_bias)
    expected, final = run(settings, initial, events, torch.float32)
    tensors = {
        "events.time_us": torch.tensor(events[0]),
        "events.key": torch.tensor(events[1]),
        "events.y": torch.tensor(events[2]),
        **{f"initial.{name}": tensor for name, tensor in initial.items()},
        **expected,
        **final,
    }
    save_file(tensors, path, metadata={"settings": json.dumps(asdict(settings))})

    # The same in float64 tells how far float32 rounding alone carries, which is what a comparison has to allow.
    expected64, final64 = run(settings, initial, events, torch.float64)
    missing = expected["expected.mean"].isnan()
    assert torch.equal(missing, expected64["expected.mean"].isnan())
    of_scale = ((expected["expected.mean"] - expected64["expected.mean"]) / expected64["expected.scale"])[~missing].abs().max()
    relative = (expected["expected.scale"] / expected64["expected.scale"] - 1)[~missing].abs().max()
    parameters = max((final[name].double() - final64[name]).abs().max().item() for name in final)
    norms = expected["expected.gradient_norm"]
    print(f"{path}: {path.stat().st_size} bytes, {expected['expected.steps'][-1]} steps, {(~missing).sum()} forecasts")
    print(f"  gradient norm {norms.min():.3g} to {norms.max():.3g}, above the clip at {(norms > GRADIENT_NORM_MAX).sum()} steps")
    print(f"  float32 against float64: mean {of_scale:.1e} of its scale, scale {relative:.1e}, parameters {parameters:.1e}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: trace.py OUTPUT_FOLDER")
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    lstm = Settings(cell="lstm", hidden=8, horizons=[1], k1=2, k2=4, update_every=3, interval_s=900)
    write_trace(out / "trace.safetensors", lstm, seed=7, log_scale_bias=[0.0, 0.0])
    # Overconfident at the start: gradients beyond the clip, and one log-scale below its range.
    gru = Settings(cell="gru", hidden=8, horizons=[1, 3], k1=1, k2=3, update_every=5, interval_s=900)
    write_trace(out / "trace_gru.safetensors", gru, seed=17, log_scale_bias=[-3.0, -3.0, -2.0, -6.1])


if __name__ == "__main__":
    main()
