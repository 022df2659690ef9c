"""A model with everything a card can hold, for the pages of models: figures drawn from made people, seeded."""

from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from tests.factories import NOW, TODAY
from tests.web.scene_rows import add

CHALLENGER, RETIRED, SHADOW = "9f31c07be2aa", "1c55d2f0a9b4", "77aa00bb11cc"
ALARM = "The IV of past_due_0 is 0.62: one feature carries the card; look for leakage."
_REASONS = {
    "late_now": ("The account is far past due now", "Your payment has been open for some time."),
    "paid_little": ("Little of what was billed has been paid", "A part of your last bills is still open."),
    "many_lenders": ("The customer has applied to, or borrowed from, many lenders", "We would like to understand."),
    "external_unknown": ("No outside credit information was found", ""),
}


def card(*, alarms: tuple[str, ...] = (ALARM,)) -> dict[str, Any]:
    """Return a card with every figure that a card may hold."""
    rng = np.random.default_rng(7)
    p = rng.beta(1.6, 3.2, 2000)
    outcome = (rng.random(2000) < p).astype(int)
    return {
        "name": "c-card", "title": "C-card, any account overdue", "algorithm": "boosted", "event_name": "bad_30d",
        "event_is": "bad", "horizon_days": 30, "features": [f["name"] for f in _features()],
        "orientation": "higher_is_safer",
        "recipe": {"max_depth": 3, "eta": 0.03, "rounds": 412, "monotone": True},
        "sample": {"rows": 6818, "events": 2210, "train_rows": 4772, "train_events": 1541, "customers": 6790},
        "cross_validation": {"folds": 5, "auc": 0.7412, "tried": [{"max_depth": 3, "rounds": 412}]},
        "test": {"rows": 2000, "events": int(outcome.sum()), "auc": 0.7388,
                 "auc_interval": {"low": 0.72, "high": 0.761}, "ks": 0.376,
                 "ks_interval": {"low": 0.348, "high": 0.42}, "brier": 0.2076, "calibration_slope": 0.97,
                 "ece": 0.018, "capture_20": 0.391, "draws": 500, "rank_breaks": 1,
                 "amount": {"rows": 2000, "sum_ratio": 1.04, "sum_ratio_low": 0.97, "sum_ratio_high": 1.12},
                 "by_horizon": {str(m): {"events": 40 * m, "expected": 0.02 * m, "observed": 0.021 * m, "uno_c": 0.74,
                                         "auc": 0.75, "auc_interval": {"low": 0.72, "high": 0.78}, "brier": 0.1}
                                for m in (1, 3, 6, 12)}},
        "segments": {"external_hit": {"rows": 1400, "events": 500, "auc": 0.74, "ks": 0.38, "expected": 0.34,
                                      "observed": 0.35},
                     "no_external_hit": {"rows": 150, "events": 40}},
        "importance": {f["name"]: 1 / (i + 2) ** 2 for i, f in enumerate(_features())},
        "missing_share": {}, "reasons": {k: staff for k, (staff, _) in _REASONS.items()},
        "sayable": {k: said for k, (_, said) in _REASONS.items() if said},
        "scaling": {"base": 600, "odds": 50, "double": 20}, "cuts": {"floors": [540, 520, 505, 490]},
        "development": {"edges": [], "shares": []}, "alarms": list(alarms),
        "warnings": ["Outcomes arose under the treatments given at the time: the card tells risk under that policy."],
        "provenance": {"source": "test", "population": "accounts overdue (DPD 1 or more)",
                       "observed": "entry of the episode", "observed_from": "2025-03-01",
                       "observed_to": "2025-11-30", "split": "customer hash, 30% test"},
        "figures": _figures(p, outcome), "drift": {},
    }  # fmt: skip


def _features() -> list[dict[str, Any]]:
    names = (
        "past_due_0",
        "pay_ratio_0",
        *(f"utilisation_{k}" for k in range(6)),
        *(f"ml_apps_{k}m" for k in range(18)),
    )
    return [
        {"name": name, "iv": round(0.62 / (i + 1), 4), "missing": 0.02 * (i % 5), "direction": (1, -1, 0)[i % 3],
         "reason": tuple(_REASONS)[i % 4],
         "bins": [{"label": f"{b} to {b + 1}", "rows": 800 - 100 * b, "events": 100 + 60 * b,
                   "woe": round(0.9 - 0.45 * b, 3)} for b in range(5)]}
        for i, name in enumerate(names)
    ]  # fmt: skip


def _figures(p: Any, outcome: Any) -> dict[str, Any]:
    score = 487 + 28.85 * np.log((1 - p) / p)
    order = np.argsort(-p)
    tenths = np.array_split(order, 10)
    caught = np.cumsum([outcome[i].sum() for i in tenths]) / outcome.sum()
    edges = np.linspace(score.min(), score.max(), 21)
    cuts = np.linspace(0, len(p), 51).astype(int)
    with_event, without = np.cumsum(outcome[order]), np.cumsum(1 - outcome[order])
    bands = np.array_split(np.argsort(-score), 5)
    return {
        "calibration": [
            {"p": float(p[i].mean()), "observed": float(outcome[i].mean()), "rows": len(i),
             "low": max(0.0, float(outcome[i].mean()) - 0.06), "high": float(outcome[i].mean()) + 0.06}
            for i in tenths[::-1]],
        "gains": [{"share": (k + 1) / 10, "captured": float(caught[k]), "lift": float(caught[k] * 10 / (k + 1)),
                   "rows": len(i), "events": int(outcome[i].sum())} for k, i in enumerate(tenths)],
        "bands": [{"band": f"S{k + 1}", "rows": len(i), "events": int(outcome[i].sum()),
                   "expected": float(p[i].mean()), "observed": float(outcome[i].mean()),
                   "floor": float(score[i].min()) if k < 4 else None} for k, i in enumerate(bands)],
        "roc": [[0.0, 0.0], *([float(without[c - 1] / without[-1]), float(with_event[c - 1] / with_event[-1])]
                              for c in cuts[1:])],
        "histogram": {"edges": edges.tolist(), "goods": np.histogram(score[outcome == 0], edges)[0].tolist(),
                      "bads": np.histogram(score[outcome == 1], edges)[0].tolist()},
        "explore": {"rows": 6818, "events": 2210, "features": _features(),
                    "by_month": [{"month": f"2025-{m:02d}", "rows": 700 + m, "events": 220 + m} for m in range(3, 12)]},
        "scorecard": [{"feature": f["name"], "bin": b["label"], "woe": b["woe"], "points": round(b["woe"] * 20, 1)}
                      for f in _features() for b in f["bins"]],
        "fairness": [{"attribute": "sex", "group": "1", "rows": 820, "selected": 0.42, "ratio": 1.0},
                     {"attribute": "sex", "group": "2", "rows": 1180, "selected": 0.31, "ratio": 0.74}],
        "amount": [{"rows": 200, "expected": 0.1 * k, "observed": 0.11 * k} for k in range(10)],
        "curves": {"tenths": {
            "title": "Incidence by tenth of risk", "x_label": "months ahead", "y_label": "share with the event",
            "series": [{"name": f"tenth {k}, {kind}", "points": [[m, 0.001 * k * m * scale] for m in range(13)]}
                       for k in (1, 5, 10) for kind, scale in (("predicted", 1.0), ("observed", 1.1))]},
            "cumulative_incidence": {
            "title": "Cumulative incidence", "x_label": "months", "y_label": "share",
            "series": [{"name": "default", "points": [[m, 0.02 * m] for m in range(13)]},
                       {"name": "cure", "points": [[m, 0.9 - 0.9 * 0.8**m] for m in range(13)]}]}},
    }  # fmt: skip


def build(session: Session) -> int:
    """Add a challenger with a full card, its runs, figures, moves and alerts, and older versions; return its id."""
    model = _version(session, CHALLENGER, "challenger", card())
    _version(session, RETIRED, "retired", card(alarms=()))
    self_cure = {**card(alarms=()), "name": "self-cure", "title": "", "event_name": "cured_10d", "event_is": "good",
                 "horizon_days": 10, "figures": {}, "test": {}}  # fmt: skip
    _version(session, SHADOW, "shadow", self_cure, name="self-cure", purpose="self_cure")
    daily: dict[str, Any] = {"rows": 68_180, "stage": "challenger", "fallback_rows": 12, "created_at": NOW}
    for day in range(40):
        session.add(t.ScoreRun(model_version_id=model.id, business_date=TODAY - timedelta(days=40 - day),
                               psi=0.01 + 0.008 * day, **daily))  # fmt: skip
    for month in range(6):
        for metric, value in (("ks", 0.38 - 0.01 * month), ("calibration_slope", 0.97 + 0.03 * month)):
            session.add(_figure(model.id, metric, value, days=30 * (6 - month), cadence="monthly", low=value - 0.03,
                                high=value + 0.03, events=900))  # fmt: skip
    for k in range(30):
        session.add(_figure(model.id, "csi", 0.01 * k, segment=f"ml_apps_{k}m", verdict="ok" if k < 25 else "act"))
    for trigger, sentence in (("psi", "PSI above 0.25 on three days: 0.27, 0.28, 0.32."),
                              ("no_hit", "The share without an outside answer rose from 22% to 41%.")):  # fmt: skip
        session.add(t.ModelAlert(model_version_id=model.id, trigger=trigger, raised_on=TODAY, sentence=sentence))
    session.add(t.ModelMove(model_version_id=model.id, from_stage="dev", to_stage="challenger", moved_at=NOW,
                            moved_by="ines", note="Figures looked at; shadow for a month."))  # fmt: skip
    session.flush()
    return model.id


def _version(
    session: Session, version: str, stage: str, made: dict[str, Any], *, name: str = "c-card", purpose: str = "risk"
) -> t.ModelVersion:
    row: t.ModelVersion = add(
        session,
        t.ModelVersion(name=name, version=version, stage=stage, bundle_key=f"{name}/{version}", card=made,
                       purpose=purpose, trained_at=NOW - timedelta(days=90), trained_by="system"),
    )  # fmt: skip
    return row


def _figure(model_id: int, metric: str, value: float, *, days: int = 0, **over: Any) -> t.ModelFigure:
    values: dict[str, Any] = {"cadence": "weekly", "segment": "all", "low": None, "high": None, "rows": 4000,
                              "events": None, "verdict": "ok", "detail": None}  # fmt: skip
    return t.ModelFigure(model_version_id=model_id, as_of=TODAY - timedelta(days=days), metric=metric, value=value,
                         **(values | over))  # fmt: skip
