"""The sequence model: an LSTM or GRU over an account's history, calibrated, in points, with reasons.

``Sample.features`` holds one list column per feature of the recipe (see ``models.sequence_steps``). Five
nets, each with its own seed and its own customer-disjoint part of the training rows on which it stops
early, are averaged in log odds; the kind of cell and its width are chosen on two of those parts, the
calibration line is fitted on all of them; the test rows are touched once (domain brief §3.8).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import drift, figures
from models import sequence_net as nets
from models.alarms import alarms_of
from models.assess import lender_view, points_of
from models.card import ModelCard
from models.catalogue import Recipe
from models.evaluate import Floats, Ints, StabilityBins, auc, evaluate, ks, logistic_line
from models.predictions import TOP_REASONS, Predictions
from models.reasons import sayable_sentences, staff_sentences
from models.registry import Bundle, BundleError, Calibration
from models.sample import Sample, SampleError, folds
from models.scaling import BandCuts, Scaling
from models.sequence_net import Architecture, Fit, Net
from models.sequence_steps import STEP_REASONS, STEP_SET_VERSION, Block, Encoder, Steps
from models.survival.told import explored, months_of

MEMBERS = 5
LONGEST = 36
"""Steps read at most; older ones are left out."""
CANDIDATES: tuple[Architecture, ...] = (
    Architecture("lstm", 16), Architecture("lstm", 48), Architecture("gru", 16), Architecture("gru", 48),
)  # fmt: skip
_TRIED_ON = 2
_FEWEST = 8
_ROWS = 50_000
_WEIGHTS, _SCALER, _LINE = "weights.npz", "scaler.json", "calibration.json"


@dataclass(frozen=True)
class _Learnt:
    """What training leaves behind: the members, in order, and what they say of rows they did not learn from."""

    shape: Architecture
    tried: list[dict[str, Any]]
    members: list[Fit]
    unseen: Floats

    @property
    def nets(self) -> tuple[Net, ...]:
        """Return the nets alone."""
        return tuple(fit.net for fit in self.members)


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 1) -> Bundle:
    """Train, calibrate and evaluate; raise MissingExtra without PyTorch. One thread is used, whatever ``threads``."""
    sample = _mature(recipe, sample)
    learn, test = ~sample.is_test, sample.is_test
    steps = Steps.of(sample.features, recipe.features, LONGEST).trimmed(learn)
    encoder = Encoder.fit(steps.take(learn))
    block, length = encoder.encode(steps), steps.length
    learnt = _learn((block[learn], length[learn], sample.outcome[learn]), sample.customer[learn], seed)
    line = Calibration(*logistic_line(sample.outcome[learn], learnt.unseen))
    if line.slope <= 0:
        raise SampleError(f"on people they were not fitted on, the nets tell nothing (slope {line.slope:.2f})")
    said = [net.margin(block[test], length[test]) for net in learnt.nets]
    importance = _importance(learnt.nets, encoder, block[learn], length[learn])
    card = _card(recipe, sample, steps, learnt, line=line, said=said, importance=importance,
                 provenance=provenance, seed=seed)  # fmt: skip
    return Bundle(card, {_WEIGHTS: nets.to_bytes(learnt.nets), _SCALER: encoder.to_bytes(), _LINE: line.to_bytes()})


def _card(
    recipe: Recipe, sample: Sample, steps: Steps, learnt: _Learnt, *, line: Calibration, said: list[Floats],
    importance: Mapping[str, float], provenance: Mapping[str, Any], seed: int,
) -> ModelCard:  # fmt: skip
    """Measure the members' mean on the test rows, once, and write the card."""
    learn, test = ~sample.is_test, sample.is_test
    outcome, p_test = sample.outcome[test], line.chance(np.mean(said, axis=0))
    measured = evaluate(outcome, p_test, rng=np.random.default_rng(seed), people=sample.customer[test])
    # As the boosted card: unseen predictions on the training rows, served ones on the test rows.
    development = points_of(
        recipe.event_is, Scaling(), np.concatenate([line.chance(learnt.unseen), p_test])
    )  # fmt: skip
    cuts, points = BandCuts.of(np.rint(development)), development[int(learn.sum()) :]
    band, longest = cuts.band(np.rint(points)), steps.values.shape[1]
    groups = {name: values[test] for name, values in sample.groups.items()}
    fairness = figures.fairness(outcome, p_test, band, groups)
    validation = _validation(learnt, sample.outcome[learn], seed)
    codes = sorted({STEP_REASONS[f] for f in recipe.features if f in STEP_REASONS})
    last = steps.last()
    history = {"history": np.where(steps.length[test] < longest, "short", "full")}
    return ModelCard(
        name=recipe.name,
        algorithm="sequence",
        event_name=recipe.event,
        event_is=recipe.event_is,
        horizon_days=recipe.horizon_days,
        feature_set_version=STEP_SET_VERSION,
        features=recipe.features,
        recipe={**asdict(learnt.shape), "members": MEMBERS, "steps": longest, "seed": seed,
                "calibration": "platt on the log odds of parts that a member did not learn from"},
        sample=_counts(sample, steps.length),
        cross_validation=validation | {"test_ks_of_members": [round(ks(outcome, m), 6) for m in said]},
        test=measured.as_json(),
        segments=figures.segments(last.filter(test), outcome, p_test, history | groups),
        importance=importance,
        missing_share=steps.missing_share(),
        reasons=staff_sentences(codes),
        sayable=sayable_sentences(codes),
        scaling=Scaling(),
        cuts=cuts,
        development=StabilityBins.of(development),
        figures=_figures(recipe, outcome, p_test, band, cuts, points) | {
            "explore": explored(recipe, replace(sample, features=last), seed=seed),
            "fairness": fairness, "curves": {"learning": _curves(learnt.members)}},
        drift=drift.frozen(last, recipe.features, seed=seed),
        # Two or three features always carry most of the model: their shares are no alarm here.
        alarms=alarms_of(
            measured=measured, binned=(), importance={}, train_events=int(sample.outcome[learn].sum()),
            cross_validated_auc=validation["auc"], fairness=fairness),
        warnings=("Outcomes arose under the treatments given at the time: the model tells risk under that policy.",),
        provenance=provenance,
    )  # fmt: skip


def _counts(sample: Sample, length: Ints) -> dict[str, int]:
    learn = ~sample.is_test
    return {
        "rows": len(learn), "events": int(sample.outcome.sum()), "train_rows": int(learn.sum()),
        "train_events": int(sample.outcome[learn].sum()), "customers": len(np.unique(sample.customer)),
        "without_history": int((length == 0).sum()),
    }  # fmt: skip


def _mature(recipe: Recipe, sample: Sample) -> Sample:
    """Leave out rows that nobody could follow to the end of the horizon: they are no goods (domain brief §3.4 (10))."""
    if sample.course is None:
        return sample
    # By how long it was followed, event or not: keeping every event would overstate the risk of young rows.
    kept = sample.course.followed >= months_of(recipe)
    mature = Sample(
        features=sample.features.filter(kept), outcome=sample.outcome[kept], customer=sample.customer[kept],
        is_test=sample.is_test[kept], groups={name: values[kept] for name, values in sample.groups.items()},
    )  # fmt: skip
    mature.check(_FEWEST)
    return mature


def _learn(rows: tuple[Block, Ints, Ints], customer: Ints, seed: int) -> _Learnt:
    """Choose the architecture on two parts, then let each member watch its own part."""
    part = folds(customer, MEMBERS, seed)
    fits = {shape: [_member(rows, part, k, shape, seed) for k in range(_TRIED_ON)] for shape in CANDIDATES}
    losses = {shape: float(np.mean([f.loss for f in tried])) for shape, tried in fits.items()}
    shape = min(losses, key=losses.__getitem__)
    members = fits[shape] + [_member(rows, part, k, shape, seed) for k in range(_TRIED_ON, MEMBERS)]
    unseen = np.empty(len(part))
    for k, fit in enumerate(members):
        unseen[part == k] = fit.margin
    tried = [{"cell": s.cell, "hidden": s.hidden, "log_loss": round(v, 6)} for s, v in losses.items()]
    return _Learnt(shape, tried, members, unseen)


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 1, exact_reasons: bool = True) -> Predictions:
    """Score histories; needs no PyTorch. Rows without any step are scored as unknown and marked as fallback.

    Reasons are of all nets together, or with ``exact_reasons`` False of the first net alone (2 to 3 times faster).
    Raise ValueError for a model of another schema or a panel without its features, BundleError for parts that
    are cut or do not fit together.
    """
    card = bundle.card
    if card.feature_set_version != STEP_SET_VERSION:
        raise ValueError(
            f"the model was trained on step set {card.feature_set_version}, this release builds {STEP_SET_VERSION}: "
            "train and approve a new model"
        )
    opened = _opened(bundle)
    parts = [_scored(opened, slice_, card.features, exact_reasons) for slice_ in features.iter_slices(_ROWS)]
    length = np.concatenate([part[0] for part in parts] or [np.zeros(0, dtype=np.int64)])
    margin = np.concatenate([part[1] for part in parts] or [np.zeros(0)])
    shares = np.concatenate([part[2] for part in parts] or [np.zeros((0, len(card.features)))])
    unseen = {n: sum(part[3][n] for part in parts) for n in card.features if any(part[3][n] for part in parts)}
    p = opened[2].chance(margin)
    points = points_of(card.event_is, card.scaling, p)
    score = np.rint(points).astype(np.int64)
    codes = tuple(card.reasons)
    return Predictions(
        p_event=p,
        points=points,
        score=score,
        band=card.cuts.band(score),
        reason_index=_reasons(shares, card.features, codes),
        codes=codes,
        is_fallback=length == 0,
        unseen=unseen,
    )


def _scored(
    opened: tuple[Encoder, tuple[Net, ...], Calibration], features: pl.DataFrame, names: tuple[str, ...], exact: bool
) -> tuple[Ints, Floats, Floats, dict[str, int]]:
    """Return length, log odds before calibration, shares by feature, and rows with an unseen code, of some rows."""
    encoder, members, _ = opened
    steps = Steps.of(features, names, encoder.longest)
    block = encoder.encode(steps)
    said = [net.margin(block, steps.length) for net in members]
    margin = np.mean(said, axis=0)
    asked, base = (members, margin) if exact else (members[:1], said[0])
    return steps.length, margin, _shares(asked, encoder, block, steps.length, base), encoder.unseen(steps)


def _opened(bundle: Bundle) -> tuple[Encoder, tuple[Net, ...], Calibration]:
    """Read the parts and see that they fit each other."""
    try:
        encoder = Encoder.from_bytes(bundle.parts[_SCALER])
        members = nets.from_bytes(bundle.parts[_WEIGHTS], channels=len(encoder.channels))
        line = Calibration.from_bytes(bundle.parts[_LINE])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"the parts of {bundle.card.name} cannot be used ({error}); restore the bundle from a backup, "
            "or train and approve the model again"
        ) from None
    if encoder.names != bundle.card.features:
        raise BundleError(f"the scaler of {bundle.card.name} is of another model; train and approve the model again")
    return encoder, members, line


def _seed(seed: int, member: int) -> int:
    return 1000 * seed + member


def _member(rows: tuple[Block, Ints, Ints], part: Ints, k: int, shape: Architecture, seed: int) -> Fit:
    learn, watch = part != k, part == k
    return nets.fit(
        (rows[0][learn], rows[1][learn], rows[2][learn]), (rows[0][watch], rows[1][watch], rows[2][watch]),
        shape=shape, seed=_seed(seed, k),
    )  # fmt: skip


def _mean_margin(members: tuple[Net, ...], block: Block, length: Ints) -> Floats:
    return np.asarray(np.mean([net.margin(block, length) for net in members], axis=0))


def _shares(members: tuple[Net, ...], encoder: Encoder, block: Block, length: Ints, margin: Floats) -> Floats:
    """Return (N, F): how much the log odds fall when a feature is set to the average at every step."""
    shares = np.zeros((len(block), len(encoder.names)))
    for place, name in enumerate(encoder.names):
        plain = block.copy()
        plain[:, :, encoder.places(name)] = 0.0
        shares[:, place] = margin - _mean_margin(members, plain, length)
    return shares


def _reasons(shares: Floats, names: tuple[str, ...], codes: tuple[str, ...]) -> Any:
    """Sum the shares per reason and name the weightiest that raise the risk."""
    summed = np.zeros((len(shares), len(codes)))
    for place, name in enumerate(names):
        if name in STEP_REASONS:
            summed[:, codes.index(STEP_REASONS[name])] += shares[:, place]
    top = np.argsort(-summed, axis=1, kind="stable")[:, :TOP_REASONS]
    named = np.where(np.take_along_axis(summed, top, axis=1) > 0, top, -1).astype(np.int8)
    return np.pad(named, ((0, 0), (0, TOP_REASONS - named.shape[1])), constant_values=-1)


def _importance(members: tuple[Net, ...], encoder: Encoder, block: Block, length: Ints) -> dict[str, float]:
    """Return each feature's share of the summed absolute shares, on up to 2,000 evenly spaced training rows."""
    some = np.linspace(0, len(block) - 1, min(len(block), 2000)).astype(int)
    few, long = block[some], length[some]
    size = np.abs(_shares(members, encoder, few, long, _mean_margin(members, few, long))).sum(axis=0)
    order = sorted(zip(encoder.names, size / (size.sum() or 1.0), strict=True), key=lambda item: -item[1])
    return {name: round(float(share), 4) for name, share in order}


def _validation(learnt: _Learnt, outcome: Ints, seed: int) -> dict[str, Any]:
    return {
        "folds": MEMBERS, "auc": round(auc(outcome, learnt.unseen), 6), "tried": learnt.tried,
        "members": [{"seed": _seed(seed, k), "epochs": len(f.losses), "log_loss": round(f.loss, 6)}
                    for k, f in enumerate(learnt.members)],
    }  # fmt: skip


def _figures(
    recipe: Recipe, outcome: Ints, p: Floats, band: npt.NDArray[np.str_], cuts: BandCuts, points: Floats
) -> dict[str, Any]:
    return {
        "calibration": figures.calibration(outcome, p),
        "gains": figures.gains(outcome, p),
        "bands": figures.bands(outcome, p, band, cuts),
        "roc": figures.roc(outcome, p),
        "histogram": figures.histogram(lender_view(recipe, outcome), points),
    }


def _curves(members: list[Fit]) -> dict[str, Any]:
    series = [{"name": f"net {k + 1}", "points": [[e + 1, round(v, 6)] for e, v in enumerate(f.losses)]}
              for k, f in enumerate(members)]  # fmt: skip
    return {"title": "Validation log loss by epoch", "x_label": "epoch", "y_label": "log loss", "series": series}
