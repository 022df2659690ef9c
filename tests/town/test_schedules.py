"""What the lender says of its loans agrees with what our own ledger makes of its schedules and payments."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from collections_app.ledger.engine import derive
from collections_app.ledger.frames import ACCOUNTS, INSTALMENTS, PAUSES, PAYMENTS, Book
from collections_app.town.behaviour import Touch
from collections_app.town.ledger import Cash
from collections_app.town.schedules import Schedules
from collections_app.town.town import Town

START = date(2026, 8, 23)
DAYS = 45


def told(manifests: list[Path], entity: str, **types: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """Read an entity of all nights, with the night it was told on."""
    nights = []
    for manifest in manifests:
        content = json.loads(manifest.read_text())
        for entry in content["files"]:
            if entry["entity"] == entity:
                frame = pl.read_csv(manifest.parent / entry["file"], try_parse_dates=True, schema_overrides=types)
                nights.append(frame.with_columns(told_on=pl.lit(date.fromisoformat(content["business_date"]))))
    return pl.concat(nights, how="vertical_relaxed")


def test_our_ledger_counts_the_same_days_past_due_as_the_lender_every_night(tmp_path: Path) -> None:
    town = Town.found(seed=12, size=250, start=START, days=DAYS, feed_folder=tmp_path)
    manifests = []
    for n in range(DAYS):
        day = START + timedelta(days=n)
        manifests.append(town.feeds.write(day))
        overdue = town.overdue_customers()
        town.behaviour.feel(overdue[::2], Touch.AGENT)
        town.behaviour.live(day)
    accounts = told(manifests, "accounts")
    schedules = told(manifests, "instalments")
    payments = told(manifests, "payments", reverses_payment_id=pl.String)
    number = {ref: n for n, ref in enumerate(sorted(schedules["account_id"].unique()))}
    serial = {ref: n for n, ref in enumerate(payments["payment_id"])}

    compared = 0
    for night in sorted(accounts["told_on"].unique()):
        known = pl.col("told_on") <= night
        lenders = accounts.filter((pl.col("told_on") == night) & pl.col("account_id").is_in(list(number)))
        wanted = lenders["account_id"].to_list()
        mine = pl.col("account_id").is_in(wanted)
        newest = pl.col("schedule_version") == pl.col("schedule_version").max().over("account_id")
        book = Book(
            accounts=frame(lenders, ACCOUNTS, number, currency="ccy"),
            instalments=frame(
                schedules.filter(known & mine).filter(newest).with_columns(kind=pl.lit("scheduled")),
                INSTALMENTS, number, due_on="due_date", principal_due_amount="principal_due",
            ),
            payments=frame(
                payments.filter(known & mine).with_columns(
                    payment_ref="payment_id", payment_id=pl.col("payment_id").replace_strict(serial)
                ),
                PAYMENTS, number, value_on="value_date", reverses_ref="reverses_payment_id",
            ),
            pauses=pl.DataFrame(schema=PAUSES),
        )  # fmt: skip
        ours = derive(book, as_of=night).accounts.select("account_id", "dpd", "arrears_amount")
        theirs = lenders.select(
            pl.col("account_id").replace_strict(number).cast(pl.Int64), dpd=pl.col("dpd_source"),
            arrears_amount="arrears_total", status="status",
        ).join(ours, on="account_id", suffix="_ours")  # fmt: skip
        wrong = theirs.filter(
            (pl.col("dpd") != pl.col("dpd_ours")) | (pl.col("arrears_amount") != pl.col("arrears_amount_ours"))
        )
        assert wrong.is_empty(), (night, wrong)
        compared += theirs.height
    assert compared > 1000


def test_a_payment_taken_back_that_was_never_told_makes_a_new_schedule(tmp_path: Path) -> None:
    town = Town.found(seed=12, size=120, start=START, days=5, feed_folder=tmp_path)
    schedules = Schedules(town.people, town.ledger)
    loans = np.flatnonzero(town.ledger.is_overdue() & town.ledger.is_loan)[:1]
    (account,) = loans.tolist()
    instalment = int(town.people.accounts.instalment[account])
    first = schedules.frame(loans, [])
    back = Cash("R1", account, instalment + 7, "reversal", START, "bank", reverses="P0")
    again = schedules.frame(loans[:0], [back])

    assert again["schedule_version"].unique().to_list() == [2]
    assert again["principal_due"].sum() == first["principal_due"].sum() + instalment + 7
    assert again["due_date"].min() < first["due_date"].min()
    assert (again["principal_due"] <= instalment).all()


def frame(rows: pl.DataFrame, schema: dict[str, pl.DataType], number: dict[str, int], **names: str) -> pl.DataFrame:
    """Bring feed columns to the engine's names; what the feed does not tell is null."""
    rows = rows.with_columns(pl.col("account_id").replace_strict(number).cast(pl.Int64))
    rows = rows.with_columns(**{ours: pl.col(theirs) for ours, theirs in names.items()})
    absent = [
        pl.lit(0 if n.endswith("_due_amount") else None, t).alias(n) for n, t in schema.items() if n not in rows.columns
    ]
    return rows.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
