"""The sequence model: what it may see, what it must not, and what it says when it cannot."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models import family, sequence, sequence_net
from models.catalogue import recipe_of
from models.evaluate import auc
from models.panel import PAID_OFF, Panel
from models.registry import Bundle, BundleError, ModelStore
from models.sample import Course, Sample, SampleError
from models.sequence_net import Architecture, Net
from models.sequence_steps import Encoder, Steps, as_read, histories

RECIPE = recipe_of("b-sequence")
MONTHS = 5
needs_torch = pytest.mark.sequence


def book(n: int = 600, seed: int = 1) -> Sample:
    """Return ragged histories in which a recent month late raises the chance of the event."""
    rng = np.random.default_rng(seed)
    length = rng.integers(0, MONTHS + 1, n)
    state = [rng.choice([-2, -1, 0, 1, 2], size=k, p=[0.1, 0.1, 0.5, 0.2, 0.1]).astype(float).tolist() for k in length]
    recent = np.array([2.0 * max(s[-1], 0) + sum(x > 0 for x in s) if s else 0.0 for s in state])
    outcome = (rng.uniform(size=n) < 1 / (1 + np.exp(-(recent - 2)))).astype(np.int64)
    dpd = [[30 * max(s, 0) + float(rng.integers(0, 30)) for s in months] for months in state]
    frame = pl.DataFrame(
        {"state": state, "dpd": dpd, "mob": [list(map(float, range(k))) for k in length]},
        schema=dict.fromkeys(RECIPE.features, pl.List(pl.Float64)),
    )
    return Sample(frame, outcome, np.arange(n) // 2, np.arange(n) // 2 % 10 < 3)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return family.train(RECIPE, book(), provenance={"source": "made"}, threads=1, min_events=50)


def net(cell: str, channels: int = 3, hidden: int = 5, seed: int = 0) -> Net:
    """Return a net with random weights; made without PyTorch."""
    rng, wide = np.random.default_rng(seed), hidden * {"lstm": 4, "gru": 3}[cell]
    shapes = {"weight_ih": (wide, channels), "weight_hh": (wide, hidden), "bias_ih": (wide,), "bias_hh": (wide,),
              "head": (hidden,), "bias": (1,)}  # fmt: skip
    return Net.of(cell, {k: rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}, channels=channels)


# --- what a net may see ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_padded_step_never_moves_the_output(cell: str) -> None:
    rng = np.random.default_rng(3)
    block, length = rng.normal(size=(40, 7, 3)).astype(np.float32), rng.integers(0, 8, 40)
    noise = block.copy()
    noise[np.arange(7)[None, :] >= length[:, None]] = 1e6
    said = net(cell).margin(block, length)
    assert np.array_equal(said, net(cell).margin(noise, length))
    full = length == 7
    assert full.any()
    noise[full, -1] += 1
    assert (said[full] != net(cell).margin(noise, length)[full]).all()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_longer_block_says_the_same_of_a_short_history(cell: str) -> None:
    block = np.random.default_rng(4).normal(size=(9, 4, 3)).astype(np.float32)
    wide = np.concatenate([block, np.full((9, 5, 3), 9, dtype=np.float32)], axis=1)
    length = np.full(9, 4)
    assert np.array_equal(net(cell).margin(block, length), net(cell).margin(wide, length))


@needs_torch
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_numpy_says_what_pytorch_says(cell: str) -> None:
    import torch

    ours, rng = net(cell, seed=7), np.random.default_rng(5)
    block, length = rng.normal(size=(50, 8, 3)).astype(np.float32), rng.integers(1, 9, 50)
    layer = (torch.nn.LSTM if cell == "lstm" else torch.nn.GRU)(3, 5, batch_first=True)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.from_numpy(ours.weights[name.removesuffix("_l0")]))
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            torch.from_numpy(block), torch.from_numpy(length), batch_first=True, enforce_sorted=False
        )
        last = layer(packed)[1]
        last = (last[0] if cell == "lstm" else last)[0].numpy()
    theirs = last @ ours.weights["head"] + ours.weights["bias"]
    assert np.abs(ours.margin(block, length) - theirs).max() < 1e-5


@needs_torch
def test_training_is_blind_to_padding_too() -> None:
    rng = np.random.default_rng(6)
    block, length = rng.normal(size=(120, 5, 2)).astype(np.float32), rng.integers(0, 6, 120)
    outcome = rng.integers(0, 2, 120)
    noise = block.copy()
    noise[np.arange(5)[None, :] >= length[:, None]] = 50.0
    fits = [
        sequence_net.fit((b, length, outcome), (b, length, outcome), shape=Architecture("lstm", 4), seed=1)
        for b in (block, noise)
    ]
    assert fits[0].losses == fits[1].losses
    assert np.array_equal(fits[0].margin, fits[1].margin)


# --- from the panel to steps -------------------------------------------------------------------------------------


def panel(states: dict[int, list[int]]) -> Panel:
    rows = [(a, a, m, m, s) for a, months in states.items() for m, s in enumerate(months)]
    return Panel.of(pl.DataFrame(rows, schema=["account_id", "customer", "month", "mob", "state"], orient="row"))


def test_nothing_after_the_observation_enters_a_history() -> None:
    at = pl.DataFrame({"account_id": [2, 1, 1], "mob": [1, 2, 0]})
    short = histories(panel({1: [0, 1, 0, 5, 5], 2: [0, 0, 3]}), at)
    assert short["state"].to_list() == [[0, 0], [0, 1, 0], [0]]
    assert short["mob"].to_list() == [[0, 1], [0, 1, 2], [0]]
    later = histories(panel({1: [0, 1, 0, PAID_OFF, PAID_OFF], 2: [0, 0, -2]}), at)
    assert later.equals(short)


def test_an_observation_that_the_panel_lacks_is_refused() -> None:
    with pytest.raises(SampleError, match="no row"):
        histories(panel({1: [0, 0]}), pl.DataFrame({"account_id": [1, 7], "mob": [1, 0]}))
    with pytest.raises(SampleError, match="no row"):
        histories(panel({1: [0, 0]}), pl.DataFrame({"account_id": [1], "mob": [5]}))


def test_other_models_of_the_panel_read_it_as_it_is() -> None:
    rows = pl.DataFrame({"account_id": [1], "mob": [1], "state": [0]})
    seen = panel({1: [0, 0, 1]})
    assert as_read(recipe_of("b-survival"), seen, rows) is rows
    steps = ("state", "mob")
    assert as_read(replace(RECIPE, features=steps), seen, rows).to_dicts() == [
        {"account_id": 1, "state": [0, 0], "mob": [0, 1]}
    ]


def test_only_the_last_steps_are_kept_and_an_unknown_value_stays_unknown() -> None:
    frame = pl.DataFrame({"a": [[1.0, 2.0, None, 4.0], [5.0], []]})
    steps = Steps.of(frame, ("a",), 3)
    assert steps.length.tolist() == [3, 1, 0]
    assert np.array_equal(steps.values[0, :, 0], [2.0, np.nan, 4.0], equal_nan=True)
    assert steps.is_real.tolist() == [[True] * 3, [True, False, False], [False] * 3]
    assert steps.last()["a"].to_list() == [4.0, 5.0, None]


def test_a_panel_without_a_feature_or_with_torn_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks mob"):
        Steps.of(pl.DataFrame({"state": [[1.0]]}), ("state", "mob"), 3)
    with pytest.raises(ValueError, match="lacks state"):
        Steps.of(pl.DataFrame({"state": [1.0]}), ("state",), 3)
    with pytest.raises(ValueError, match="another number of steps"):
        Steps.of(pl.DataFrame({"a": [[1.0]], "b": [[1.0, 2.0]]}), ("a", "b"), 3)


def test_the_scaler_learns_from_training_rows_alone_and_padding_is_silent() -> None:
    steps = Steps.of(pl.DataFrame({"a": [[0.5, 1.5], [2.5], [900.0, 900.0]]}), ("a",), 2)
    encoder = Encoder.fit(steps.take(np.array([0, 1])))
    assert next(c for c in encoder.channels if c.kind == "number").mean == pytest.approx(1.5)
    block = encoder.encode(steps)
    assert block[1, 1].tolist() == [0.0] * len(encoder.channels)
    # A value beyond everything seen is held at the edge of training.
    assert np.abs(block).max() < 3
    assert Encoder.from_bytes(encoder.to_bytes()) == encoder


def test_a_code_never_seen_is_counted_and_lights_no_code() -> None:
    seen = Steps.of(pl.DataFrame({"a": [[0.0, 1.0, 2.0], [3.0, 1.0]]}), ("a",), 3)
    encoder = Encoder.fit(seen)
    new = Steps.of(pl.DataFrame({"a": [[7.0], [1.0], [None]]}, schema={"a": pl.List(pl.Float64)}), ("a",), 3)
    assert encoder.unseen(new) == {"a": 1}
    lit = [i for i, c in enumerate(encoder.channels) if c.kind == "code"]
    assert (encoder.encode(new)[0, 0, lit] < 0).all()


def test_a_panel_in_which_nothing_varies_cannot_teach() -> None:
    with pytest.raises(SampleError, match="nothing to learn"):
        Encoder.fit(Steps.of(pl.DataFrame({"a": [[1.0, 1.0], [1.0]]}), ("a",), 2))


# --- the trained model -------------------------------------------------------------------------------------------


@needs_torch
def test_it_ranks_and_is_calibrated_on_rows_it_never_saw(bundle: Bundle) -> None:
    test = bundle.card.test
    assert test["auc"] > 0.72
    assert test["calibration_slope"] == pytest.approx(1, abs=0.4)
    fresh = book(2_000, seed=9)
    said = family.predict(bundle, fresh.features, threads=1)
    assert auc(fresh.outcome, said.p_event) > 0.75
    assert said.p_event.mean() == pytest.approx(fresh.outcome.mean(), abs=0.04)
    order = np.argsort(said.p_event)
    assert (np.diff(said.points[order]) <= 1e-9).all()


@needs_torch
def test_the_card_tells_the_seeds_and_their_spread(bundle: Bundle) -> None:
    told = bundle.card.cross_validation
    assert [m["seed"] for m in told["members"]] == [0, 1, 2, 3, 4]
    assert len(told["test_ks_of_members"]) == 5
    assert len(set(told["test_ks_of_members"])) > 1
    assert len(bundle.card.figures["curves"]["learning"]["series"]) == 5
    json.dumps(bundle.card.as_json(), allow_nan=False)


@needs_torch
def test_the_same_seed_gives_the_same_net_and_another_seed_another() -> None:
    block = np.random.default_rng(0).normal(size=(200, 4, 2)).astype(np.float32)
    rows = (block, np.full(200, 4), (block[:, -1, 0] > 0).astype(np.int64))
    fits = [sequence_net.fit(rows, rows, shape=Architecture("gru", 4), seed=s) for s in (1, 1, 2)]
    assert fits[0].losses == fits[1].losses
    assert np.array_equal(fits[0].margin, fits[1].margin)
    assert fits[0].losses != fits[2].losses


@needs_torch
def test_what_was_saved_predicts_the_same_without_pytorch(bundle: Bundle, tmp_path: Path) -> None:
    key = ModelStore(tmp_path).save(bundle, "v1")
    fresh = book(50, seed=4).features
    fresh.write_parquet(tmp_path / "rows.parquet")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import polars as pl; from pathlib import Path\n"
        "from models import family; from models.registry import ModelStore\n"
        f"root = Path({str(tmp_path)!r}); bundle = ModelStore(root).load({key!r})\n"
        "print(family.predict(bundle, pl.read_parquet(root / 'rows.parquet'), threads=1).p_event.tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == pytest.approx(family.predict(bundle, fresh, threads=1).p_event.tolist(), abs=1e-9)


def test_a_row_not_followed_to_the_end_of_the_horizon_teaches_nothing() -> None:
    whole = book(400)
    followed = np.where(np.random.default_rng(8).uniform(size=400) < 0.5, 2, 6)
    course = Course(np.minimum(followed, 1 + whole.outcome), whole.outcome, followed)
    kept = sequence._mature(RECIPE, replace(whole, course=course))
    # An event of a row seen for two months is left out too: goods like it cannot be known.
    assert len(kept.outcome) == (followed == 6).sum() == kept.features.height
    assert kept.outcome.mean() == pytest.approx(whole.outcome.mean(), abs=0.1)
    lost = Course(course.duration, course.cause, np.full(400, 2))
    with pytest.raises(SampleError, match="no matured label"):
        sequence._mature(RECIPE, replace(whole, course=lost))


@needs_torch
def test_rows_without_history_are_scored_as_unknown_and_marked(bundle: Bundle) -> None:
    features = book(300, seed=2).features
    said = family.predict(bundle, features, threads=1)
    empty = (features["state"].list.len() == 0).to_numpy()
    assert empty.any()
    assert np.array_equal(said.is_fallback, empty)
    assert len(set(said.p_event[empty])) == 1
    assert len(family.predict(bundle, features.head(0), threads=1).score) == 0


@needs_torch
def test_reasons_name_what_raised_the_risk(bundle: Bundle) -> None:
    state, mob = [0.0, 1.0, 2.0, 2.0, 2.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    late = pl.DataFrame({"state": [state], "dpd": [[30 * s + 5 for s in state]], "mob": [mob]})
    said = family.predict(bundle, late, threads=1)
    assert said.reasons[0][0] == "late_history"
    quick = family.predict(bundle, late, threads=1, exact_reasons=False)
    assert quick.p_event.tolist() == said.p_event.tolist()
    assert quick.reasons[0][0] == "late_history"
    assert set(bundle.card.reasons) == set(bundle.card.sayable) == {"late_history", "young_account"}


# --- refusals ----------------------------------------------------------------------------------------------------


@needs_torch
def test_a_model_of_another_schema_is_refused(bundle: Bundle) -> None:
    rows = book(3).features
    with pytest.raises(ValueError, match="train and approve a new model"):
        family.predict(replace(bundle, card=replace(bundle.card, feature_set_version=0)), rows)
    with pytest.raises(BundleError, match="of another model"):
        family.predict(replace(bundle, card=replace(bundle.card, features=("mob", "dpd", "state"))), rows)
    with pytest.raises(ValueError, match="lacks mob"):
        family.predict(bundle, rows.drop("mob"))


@needs_torch
@pytest.mark.parametrize("part", ["weights.npz", "scaler.json", "calibration.json"])
def test_a_cut_part_is_told_in_one_sentence(bundle: Bundle, part: str) -> None:
    cut = Bundle(bundle.card, {**bundle.parts, part: bundle.parts[part][: len(bundle.parts[part]) // 2]})
    with pytest.raises(BundleError, match="restore the bundle from a backup"):
        family.predict(cut, book(3).features)


def test_weights_of_another_shape_or_kind_are_refused() -> None:
    good = sequence_net.to_bytes((net("gru"), net("gru", seed=1)))
    assert len(sequence_net.from_bytes(good, channels=3)) == 2
    with pytest.raises(ValueError, match="weight_ih is not"):
        sequence_net.from_bytes(good, channels=4)
    broken = {**net("lstm").weights, "bias": np.array([np.nan], dtype=np.float32)}
    with pytest.raises(ValueError, match="bias is not"):
        Net.of("lstm", broken, channels=3)
    with pytest.raises(ValueError, match="cut or altered"):
        sequence_net.from_bytes(good[:-40], channels=3)


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **{"0.gru.head": np.array([object()], dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle"):
        sequence_net.from_bytes((tmp_path / "bad.npz").read_bytes(), channels=3)


@pytest.mark.parametrize(("outcome", "message"), [(1, "0 without"), (0, "0 accounts with the event")])
def test_a_single_outcome_is_refused(outcome: int, message: str) -> None:
    whole = book()
    one = replace(whole, outcome=np.full(len(whole.outcome), outcome))
    with pytest.raises(SampleError, match=message):
        family.train(RECIPE, one, provenance={})


def test_too_few_events_are_refused() -> None:
    with pytest.raises(SampleError, match="at least 100 of each"):
        family.train(RECIPE, book(120), provenance={})


def test_without_pytorch_one_sentence_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from models.sequence_net import Architecture, fit\n"
        "rows = (np.zeros((4, 2, 1), np.float32), np.full(4, 2), np.array([0, 1, 0, 1]))\n"
        "fit(rows, rows, shape=Architecture(), seed=0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtra: training a sequence model needs PyTorch: install the extra [sequence]" in run.stderr


def test_loading_the_family_loads_no_pytorch() -> None:
    code = "import sys, models.family, models.sequence; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
