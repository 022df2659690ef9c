"""A small LSTM or GRU: learnt with PyTorch (the extra ``[sequence]``), run in numpy.

Serving needs the forward pass only, so a machine that scores needs no PyTorch. Everything learnt is a
handful of arrays, stored as .npz without pickles: a bundle cannot bring code along.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from models.evaluate import Floats, Ints
from models.family import MissingExtra
from models.sequence_steps import Block

_GATES = {"lstm": 4, "gru": 3}
_ROWS = 8192
_BATCH, _EPOCHS, _PATIENCE, _DECAY, _NORM = 512, 60, 6, 1e-4, 1.0


@dataclass(frozen=True)
class Architecture:
    """What is chosen on validation rows: the cell, its width, dropout before the head, the first step size."""

    cell: str = "gru"
    hidden: int = 32
    dropout: float = 0.2
    rate: float = 3e-3


@dataclass(frozen=True)
class Net:
    """One recurrent layer over the steps and a linear head on its last state; weights as PyTorch names them.

    Shapes for C channels, H hidden and G gates (LSTM 4: input, forget, cell, output; GRU 3: reset, update, new):
    ``weight_ih`` (GH, C), ``weight_hh`` (GH, H), ``bias_ih`` and ``bias_hh`` (GH), ``head`` (H), ``bias`` (1).
    """

    cell: str
    weights: Mapping[str, Block]

    @classmethod
    def of(cls, cell: str, weights: Mapping[str, Block], *, channels: int) -> "Net":
        """Check names and shapes; raise ValueError naming the first that does not fit."""
        if cell not in _GATES:
            raise ValueError(f"there is no cell {cell!r}")
        hidden = len(weights["head"]) if "head" in weights else 0
        wide = _GATES[cell] * hidden
        shapes = {"weight_ih": (wide, channels), "weight_hh": (wide, hidden), "bias_ih": (wide,), "bias_hh": (wide,),
                  "head": (hidden,), "bias": (1,)}  # fmt: skip
        for name, shape in shapes.items():
            found = weights.get(name)
            if found is None or found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
                raise ValueError(f"{name} is not {shape} finite numbers of 32 bits")
        return cls(cell, {name: weights[name] for name in shapes})

    def margin(self, block: Block, length: Ints) -> Floats:
        """Return the log odds of each history, (N); a row without any step gets what the empty state says."""
        parts = [self._margin(block[i : i + _ROWS], length[i : i + _ROWS]) for i in range(0, len(block), _ROWS)]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)

    def _margin(self, block: Block, length: Ints) -> Block:
        w = self.weights
        state = np.zeros((len(block), len(w["head"])), dtype=np.float32)
        memory = np.zeros_like(state)
        for t in range(int(length.max(initial=0))):
            # Padding stands behind the last step: rows that have ended keep their state.
            live = (length > t)[:, None]
            told = block[:, t] @ w["weight_ih"].T + w["bias_ih"]
            kept = state @ w["weight_hh"].T + w["bias_hh"]
            if self.cell == "lstm":
                into, forget, new, out = np.split(told + kept, 4, axis=1)
                memory = np.where(live, _sigmoid(forget) * memory + _sigmoid(into) * np.tanh(new), memory)
                following = _sigmoid(out) * np.tanh(memory)
            else:
                (told_r, told_z, told_n), (kept_r, kept_z, kept_n) = (
                    np.split(told, 3, axis=1),
                    np.split(kept, 3, axis=1),
                )
                hold = _sigmoid(told_z + kept_z)
                following = (1 - hold) * np.tanh(told_n + _sigmoid(told_r + kept_r) * kept_n) + hold * state
            state = np.where(live, following, state)
        said: Block = state @ w["head"] + w["bias"]
        return said


def _sigmoid(x: Block) -> Block:
    # By tanh: exp of a large negative number would overflow in 32 bits.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), dtype=np.float32)


def to_bytes(nets: tuple[Net, ...]) -> bytes:
    """Return the nets as one .npz: arrays ``<number>.<cell>.<weight>`` and nothing else."""
    buffer = io.BytesIO()
    np.savez(buffer, **{f"{i}.{net.cell}.{name}": a for i, net in enumerate(nets) for name, a in net.weights.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def from_bytes(raw: bytes, *, channels: int) -> tuple[Net, ...]:
    """Read nets back; raise ValueError when cut short, of another shape, or anything but plain arrays."""
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError, OSError, KeyError) as error:
        raise ValueError(f"the weights are cut or altered ({error})") from None
    grouped: dict[tuple[str, str], dict[str, Block]] = {}
    for name, array in arrays.items():
        number, cell, weight = name.split(".")
        grouped.setdefault((number, cell), {})[weight] = array
    if not grouped:
        raise ValueError("there is no net among the weights")
    return tuple(Net.of(cell, weights, channels=channels) for (_, cell), weights in grouped.items())


@cache
def _torch() -> ModuleType:
    try:
        import torch
    except ImportError:
        raise MissingExtra(
            "training a sequence model needs PyTorch: install the extra [sequence] (docs/models/sequence.md)"
        ) from None
    torch.set_num_threads(1)  # small nets: a second thread gains nothing and starves the others
    return torch


@dataclass(frozen=True)
class Fit:
    """A net at its best epoch, the validation log loss after each epoch, and what it says of the validation rows."""

    net: Net
    losses: tuple[float, ...]
    margin: Floats

    @property
    def loss(self) -> float:
        """Return the best validation log loss."""
        return min(self.losses)


def fit(
    learn: tuple[Block, Ints, Ints], watch: tuple[Block, Ints, Ints], *, shape: Architecture, seed: int
) -> Fit:  # fmt: skip
    """Learn from (block, length, outcome) until the watched rows stop getting better; the best epoch is kept.

    The same seed gives the same net. Raise MissingExtra without PyTorch.
    """
    torch = _torch()
    with torch.random.fork_rng(devices=[]):  # nobody else's random numbers are touched
        torch.manual_seed(seed)
        recurrent = (torch.nn.LSTM if shape.cell == "lstm" else torch.nn.GRU)(
            learn[0].shape[2], shape.hidden, batch_first=True
        )
        head = torch.nn.Linear(shape.hidden, 1)
        with torch.no_grad():  # begin at the average risk, not at one half
            rate = float(np.clip(learn[2].mean(), 1e-4, 1 - 1e-4))
            head.bias.fill_(np.log(rate / (1 - rate)))
        return _until_best(torch, recurrent, head, learn, watch, shape)


def _until_best(
    torch: ModuleType, recurrent: Any, head: Any, learn: tuple[Block, Ints, Ints], watch: tuple[Block, Ints, Ints],
    shape: Architecture,
) -> Fit:  # fmt: skip
    weights = [*recurrent.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=shape.rate, weight_decay=_DECAY)
    (steps, length, outcome), watched = (
        tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in p) for p in (learn, watch)
    )
    drop, loss_of = torch.nn.Dropout(shape.dropout), torch.nn.BCEWithLogitsLoss()

    def margin(steps: Any, length: Any) -> Any:
        states, _ = recurrent(steps)
        # A state never depends on later steps, so the state at the last real one has seen no padding.
        last = states[torch.arange(len(steps)), (length - 1).clamp(min=0)] * (length > 0)[:, None]
        return head(drop(last))[:, 0]

    best: Net | None = None
    losses: list[float] = []
    while len(losses) < _EPOCHS and (best is None or len(losses) - np.argmin(losses) <= _PATIENCE):
        drop.train()
        for rows in torch.randperm(len(outcome)).split(_BATCH):
            optimiser.zero_grad()
            loss_of(margin(steps[rows], length[rows]), outcome[rows].float()).backward()
            torch.nn.utils.clip_grad_norm_(weights, _NORM)
            optimiser.step()
        drop.eval()
        with torch.no_grad():
            losses.append(float(loss_of(margin(*watched[:2]), watched[2].float())))
        if best is None or losses[-1] == min(losses):
            best = _frozen(shape.cell, recurrent, head)
    assert best is not None
    return Fit(best, tuple(losses), best.margin(watch[0], watch[1]))


def _frozen(cell: str, recurrent: Any, head: Any) -> Net:
    plain = {name.removesuffix("_l0"): p.detach().numpy().copy() for name, p in recurrent.named_parameters()}
    plain |= {"head": head.weight.detach().numpy()[0].copy(), "bias": head.bias.detach().numpy().copy()}
    return Net.of(cell, plain, channels=recurrent.input_size)
