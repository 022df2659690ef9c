"""The real panel: the same rows at risk as the published baseline, and a ranking that is neither lost nor leaked."""

import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.evaluate import auc
from models.panel import NO_LOAN, PAID_OFF, Panel, codes, matrix, observations
from models.survival import pooled
from models.survival.curves import Periods
from models.survival.spells import EVENT

pytestmark = pytest.mark.real_data

NAMES = ("mob", "idle_3", "run", "state_1")


@pytest.fixture(scope="module")
def parts(shared: Path) -> tuple[Panel, Panel]:
    """Return one training account in ten, and every test account, of the applicant-disjoint split."""
    folder = shared / "data" / "credit_record_panel"
    with zipfile.ZipFile(folder / "credit_record.csv.zip") as archive:
        records = pl.read_csv(archive.read(archive.namelist()[0]))
    states = {"X": NO_LOAN, "C": PAID_OFF} | {str(s): s for s in range(6)}
    rows = (
        records.join(pl.read_csv(folder / "split_by_applicant_md5.csv"), on="ID")
        .sort("ID", "MONTHS_BALANCE")
        .with_columns(
            account_id="ID", customer="ID", month="MONTHS_BALANCE", mob=pl.int_range(pl.len()).over("ID"),
            state=pl.col("STATUS").replace_strict(states, return_dtype=pl.Int8),
        )
    )  # fmt: skip
    test = pl.col("split") == "test"
    return Panel.of(rows.filter(~test & (pl.col("ID") % 10 == 0))), Panel.of(rows.filter(test))


def test_the_rows_at_risk_are_those_of_the_baseline(parts: tuple[Panel, Panel]) -> None:
    assert [observations(parts[1], event_state=k).height for k in (1, 2)] == [116_852, 124_914]


def test_the_hazard_of_next_month_ranks_as_well_as_the_baseline_and_no_better_than_is_true(
    parts: tuple[Panel, Panel],
) -> None:
    learn, test = (observations(p, event_state=1) for p in parts)
    periods = Periods.of(codes(learn, "duration"), codes(learn, "cause"), 1)
    model = pooled.fit(matrix(learn, NAMES).astype(np.float32), NAMES, periods, EVENT, months=1, seed=0)
    p = model.hazard(model.woe(matrix(test, NAMES).astype(np.float32), NAMES))[:, 0]
    outcome = ((codes(test, "duration") == 1) & (codes(test, "cause") == EVENT)).astype(np.int64)
    assert 0.63 < auc(outcome, p) < 0.72  # 0.6857 is published; application fields leak on other splits: 0.76
    assert p.mean() == pytest.approx(outcome.mean(), rel=0.15)
