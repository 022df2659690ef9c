"""How long the reports take on a large book, beside the bare SQL and the bare frames of the same run.

Ours: ``queries.reports.registry.run``. Bare SQL: the same roll matrix written by hand for this one book (one bucket
table, one currency, no absorbing states), without an ORM. Bare polars: the same matrix from spans that already lie in
memory as a frame; reading them is timed apart, because the database need not hand them over for ours.

    python bench/reports.py --database postgresql://user@host/reports_bench --rows 100000
    python bench/reports.py --rows 100000                  # SQLite, a file in a temporary folder

The database is emptied: its name must contain "bench".
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import Account, AccountStanding, Customer, Episode, FeedBatch, Payment, Placement, User
from collections_app.queries.as_of import on_days, standing_spans
from collections_app.queries.reports.registry import run
from collections_app.queries.reports.report import Scope

JANUARY, FEBRUARY, AS_OF = date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 15)
KNOWN = datetime(2026, 1, 1, tzinfo=UTC)
MEASURED = ("roll-rates", "net-flow", "vintage", "cure-rate", "re-default", "liquidation", "recovery")
BANDS = (1, 31, 61, 91, 121, 151, 181)


def _days(start: date, offsets: np.ndarray) -> pl.Series:
    return pl.Series((start - date(1970, 1, 1)).days + offsets).cast(pl.Int32).cast(pl.Date)


def make_book(database: Database, rows: int) -> int:
    """Fill the tables: a row of standing a month for each account, a quarter overdue, half of these cured; return
    the number of standings."""
    rng = np.random.default_rng(11)
    ids = np.arange(1, rows + 1)
    opened = _days(date(2024, 10, 1), rng.integers(0, 330, rows))
    late = rng.random(rows) < 0.25
    cured = late & (rng.random(rows) < 0.5)
    entry = rng.integers(0, 120, rows)
    end = entry + rng.integers(2, 45, rows)
    start = date(2025, 10, 20)
    balance = rng.integers(10_000, 900_000, rows)
    accounts = pl.DataFrame({"id": ids, "customer_id": ids, "account_ref": [f"A{i}" for i in ids], "opened_on": opened,
                             "balance_amount": balance, "limit_amount": balance * 2}).with_columns(
        source=pl.lit("bench"), creditor=pl.lit("Bank"), collector_role=pl.lit("first_party"),
        product_family=pl.lit("card"), currency=pl.lit("USD"), status=pl.lit("active"), bucket_table=pl.lit("cn"),
        bucket=pl.lit("M0"), arrears_amount=pl.lit(0), dpd=pl.lit(0), as_of_on=pl.lit(AS_OF), row_hash=pl.lit(0),
        valid_from=pl.lit(KNOWN), recorded_at=pl.lit(KNOWN),
    )  # fmt: skip
    customers = pl.DataFrame({"id": ids, "customer_ref": accounts["account_ref"]}).with_columns(
        source=pl.lit("bench"), country=pl.lit("US"), regions=pl.lit("[]"), zones=pl.lit("[]"), preferences=pl.lit("[]")
    )
    parts = [(_days(date(2025, 10, 1) + timedelta(days=28 * k), np.zeros(rows)), ids, np.zeros(rows), False)
             for k in range(4)]  # fmt: skip
    parts.append((_days(start, entry).filter(late), ids[late], np.ones(int(late.sum())), True))
    parts.append((_days(start, end).filter(cured), ids[cured], np.zeros(int(cured.sum())), False))
    spans = pl.concat(
        pl.DataFrame({"account_id": account, "from_on": day, "dpd": dpd.astype(np.int64)}).with_columns(
            is_ageing=pl.lit(ages), balance_amount=pl.lit(balance[account - 1])
        )
        for day, account, dpd, ages in parts
    ).unique(["account_id", "from_on"], keep="last", maintain_order=True)
    # A monthly row within an overdue spell would break it: keep the rows before the entry and after the cure.
    spell = pl.DataFrame({"account_id": ids[late], "a": _days(start, entry).filter(late),
                          "b": _days(start, np.where(cured, end, 10_000)).filter(late)})  # fmt: skip
    inside = (pl.col("from_on") > pl.col("a")) & (pl.col("from_on") < pl.col("b"))
    spans = spans.join(spell, on="account_id", how="left").filter(~inside.fill_null(False)).drop("a", "b")
    spans = spans.with_columns(known_from=pl.lit(KNOWN), arrears_amount=pl.lit(1000), limit_amount=pl.lit(900_000),
                               status=pl.lit("active"))  # fmt: skip
    of_late = ids[late]
    episodes = pl.DataFrame({
        "id": np.arange(1, len(of_late) + 1), "account_id": of_late, "entry_on": _days(start, entry).filter(late),
        "ended_on": _days(start, end).filter(late).set(pl.Series(~cured[late]), None),
        "end_reason": pl.Series(["cured"] * len(of_late)).set(pl.Series(~cured[late]), None),
    }).with_columns(entry_dpd=pl.lit(1), entry_arrears_amount=pl.lit(1000), max_dpd=pl.lit(20))  # fmt: skip
    placements = pl.DataFrame({"id": episodes["id"], "account_id": of_late, "placed_on": episodes["entry_on"]})
    placements = placements.with_columns(
        placed_with=pl.lit("house"), batch=pl.col("placed_on").dt.strftime("%Y-%m"), currency=pl.lit("USD"),
        placed_balance_amount=pl.lit(100_000), placed_arrears_amount=pl.lit(9_000),
    )  # fmt: skip
    payments = pl.concat(
        placements.select("account_id", value_on=pl.col("placed_on") + timedelta(days=days), ref=pl.lit(days))
        for days in (9, 40, 71)
    )
    payments = payments.with_columns(
        id=pl.int_range(1, pl.len() + 1), source=pl.lit("bench"), amount=pl.lit(5_000), currency=pl.lit("USD"),
        payment_ref=pl.format("{}-{}", "account_id", "ref"), kind=pl.lit("payment"), status=pl.lit("settled"),
        batch_id=pl.lit(1),
    ).drop("ref")  # fmt: skip
    batch = pl.DataFrame({"id": [1], "source": "bench", "entity": "accounts", "mapping": "m", "mapping_version": 1,
                          "business_date": AS_OF, "file_name": "f", "sha256": "0", "rows": rows, "accepted": rows,
                          "quarantined": 0, "unchanged": 0, "imported_at": KNOWN})  # fmt: skip
    with database.sessions.begin() as session:
        for entity, frame in ((FeedBatch, batch), (Customer, customers), (Account, accounts),
                              (AccountStanding, spans), (Episode, episodes), (Placement, placements),
                              (Payment, payments)):  # fmt: skip
            bulk.insert(session, table_of(entity), frame)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return spans.height


def bare_sql(database: Database) -> int:
    """Write the roll matrix by hand, in the words of the database."""
    if database.is_postgresql:
        day = ("SELECT DISTINCT ON (account_id) account_id, balance_amount, dpd + CASE WHEN is_ageing THEN "
               "DATE '{0}' - from_on ELSE 0 END AS dpd FROM account_standing WHERE from_on <= '{0}' "
               "AND known_until IS NULL ORDER BY account_id, from_on DESC")  # fmt: skip
    else:
        # SQLite takes the other columns from the row that holds the maximum.
        day = ("SELECT account_id, balance_amount, max(from_on) AS last_on, dpd + CASE WHEN is_ageing THEN "
               "CAST(julianday('{0}') - julianday(from_on) AS INTEGER) ELSE 0 END AS dpd FROM account_standing "
               "WHERE from_on <= '{0}' AND known_until IS NULL GROUP BY account_id")  # fmt: skip
    band = " ".join(f"WHEN {{0}}.dpd >= {start} THEN {n}" for n, start in reversed(list(enumerate(BANDS, start=1))))
    matrix = (f"SELECT i, j, count(*), sum(balance_amount) FROM (SELECT CASE {band.format('a')} ELSE 0 END AS i, "
              f"CASE {band.format('b')} ELSE 0 END AS j, a.balance_amount FROM ({day.format(JANUARY)}) a "
              f"JOIN ({day.format(FEBRUARY)}) b ON b.account_id = a.account_id) m GROUP BY i, j")  # fmt: skip
    with database.reading() as session:
        return sum(int(row[2]) for row in session.execute(sa.text(matrix)))


def bare_polars(spans: pl.DataFrame) -> int:
    """Compute the roll matrix from spans in memory."""
    bands = pl.DataFrame(
        {"from_dpd": [0, *BANDS], "band": list(range(8))}, schema={"from_dpd": pl.Int64, "band": pl.Int64}
    )
    stood = on_days(spans, [JANUARY, FEBRUARY]).sort("dpd").join_asof(bands, left_on="dpd", right_on="from_dpd")
    before, after = (stood.filter(pl.col("business_date") == on) for on in (JANUARY, FEBRUARY))
    moves = (
        before.join(after, on="account_id").group_by("band", "band_right").agg(pl.len(), pl.col("balance_amount").sum())
    )
    return int(moves["len"].sum())


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Run and print a step with its time and the process's peak memory so far."""
    began = time.perf_counter()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:36}{time.perf_counter() - began:9.2f} s   peak {peak:7.0f} MiB")
    return result


def measure(database: Database, rows: int) -> None:
    """Make the book, run each report, then the ceilings."""
    count = timed("make the book", lambda: make_book(database, rows))
    print(f"{rows:,} accounts, {count:,} standings, {'PostgreSQL' if database.is_postgresql else 'SQLite'}")
    for name in MEASURED:
        with database.reading() as session:
            timed(f"ours: {name}", lambda name=name, session=session: run(session, name, Scope(AS_OF)))
    with database.reading() as session:
        ours = timed("ours: roll-rates again", lambda: run(session, "roll-rates", Scope(AS_OF)))
    moved = sum(int(str(r["n"])) for r in ours.records())
    assert moved == timed("bare SQL: roll matrix", lambda: bare_sql(database))
    with database.reading() as session:
        spans = timed("reading the spans into a frame", lambda: standing_spans(session, None, until=FEBRUARY))
    assert moved == timed("bare polars: roll matrix", lambda: bare_polars(spans))


def main() -> None:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help='a PostgreSQL URL; its name must contain "bench"')
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    asked = parser.parse_args()
    if asked.database and "bench" not in asked.database.rsplit("/", 1)[-1]:
        parser.error('the database is emptied; its name must contain "bench"')
    for rows in asked.rows:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(asked.database or f"sqlite:///{Path(folder) / 'bench.db'}")
            upgrade(database)
            if database.is_postgresql:
                names = ", ".join(f'"{t.name}"' for t in User.metadata.sorted_tables)
                with database.engine.begin() as connection:
                    connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            measure(database, rows)
            database.engine.dispose()


if __name__ == "__main__":
    main()
