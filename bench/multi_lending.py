"""Measure the windows of multi-lending: our count beside a bare polars group-by of the same data, and the whole road.

    python bench/multi_lending.py count --customers 100000 1000000
    python bench/multi_lending.py road --customers 10000 100000 --url postgresql://...

``count`` makes ten enquiries a customer and times, in one run: the least that a group-by must do (applications and
distinct institutions of each customer, no windows), the same six windows written plainly in polars, and ours.
``road`` loads the enquiries into a database (SQLite by default; a database given by --url is EMPTIED) and times
services.signals.compute: reading, counting, writing an answer for each customer, and again with news of a hundredth.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.tables import Customer, User
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.multi_lending import SCOPES, InstitutionType
from collections_app.queries.multi_lending import EVENTS, POINTS, count_parts
from collections_app.services import signals
from strategies.signals import lending_rules

DAY = date(2026, 3, 1)
LATER = date(2026, 3, 4)
RULES = lending_rules(DAY)
EACH = 10
INSTITUTIONS = 3_000


def enquiries(customers: int) -> pl.DataFrame:
    """Return EVENTS: ten enquiries a customer over 400 days at 3,000 institutions, in the order of their arrival."""
    rng = np.random.default_rng(1)
    rows = customers * EACH
    institution = rng.integers(0, INSTITUTIONS, rows)
    types = pl.Series([t.value for t in InstitutionType])
    ages = np.sort(rng.integers(0, 400 * 86_400, rows))[::-1]
    return pl.DataFrame(
        {
            "customer_id": rng.integers(1, customers + 1, rows),
            "institution": pl.Series([f"i{n}" for n in range(INSTITUTIONS)]).gather(institution),
            "institution_type": types.gather(institution % len(types)),
            "ago": ages,
            "local_hour": rng.integers(0, 24, rows),
            "is_own": rng.random(rows) < 0.02,
        }
    ).select(
        "customer_id", pl.lit("id").alias("key_type"), "institution", "institution_type",
        (pl.lit(datetime(2026, 3, 2, tzinfo=UTC)).cast(EVENTS["enquired_at"]) - pl.duration(seconds="ago")).alias(
            "enquired_at"
        ),
        "local_hour", "is_own", pl.lit(DAY).alias("received_on"),
    )  # fmt: skip


def bare(events: pl.DataFrame) -> int:
    """Count applications and distinct institutions of each customer, no windows: what any group-by must do."""
    return events.group_by("customer_id").agg(pl.len(), pl.col("institution").n_unique()).height


def plain(events: pl.DataFrame) -> int:
    """Count the six windows of three scopes as one would write them down: 36 aggregates in one group-by."""
    age = (pl.lit(DAY) - pl.col("enquired_at").dt.date()).dt.total_days()
    scopes = {"all": pl.lit(value=True), "bank": pl.col("institution_type") == "bank"}
    scopes["nbank"] = ~scopes["bank"]
    inside = {(s, w): e & (pl.col("age") < days) for s, e in scopes.items() for w, days in RULES.windows}
    return (
        events.lazy()
        .filter(~pl.col("is_own"))
        .with_columns(age=age)
        .group_by("customer_id")
        .agg(
            *(e.sum().alias(f"{s}_apps_{w}") for (s, w), e in inside.items()),
            *(pl.col("institution").filter(e).n_unique().alias(f"{s}_orgs_{w}") for (s, w), e in inside.items()),
        )
        .collect()
        .height
    )


def points(customers: int) -> pl.DataFrame:
    """Return one observation point for each customer."""
    ids = np.arange(1, customers + 1)
    return pl.DataFrame({"customer_id": ids}).select(
        "customer_id", pl.lit("id").alias("key_type"), pl.lit(DAY).alias("as_of"),
        pl.lit(DAY - timedelta(days=20)).alias("entry_on"),
    ).cast(POINTS)  # fmt: skip


def timed(work: Callable[[], int]) -> tuple[float, int]:
    """Return the seconds of the best of three runs, and the peak memory of the process so far in MiB."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def count(customers: int, *, with_plain: bool) -> None:
    """Print our count beside the group-bys of the same data."""
    events, asked = enquiries(customers), points(customers)
    _, data = timed(lambda: 0)
    few = ("all", "bank", "nbank")

    def ours(scopes: tuple[str, ...]) -> int:
        return sum(part.height for part in count_parts(events, asked, known_on=DAY, rules=RULES, scopes=scopes))

    ours_few, peak_few = timed(lambda: ours(few))
    ours_all, peak_all = timed(lambda: ours(tuple(SCOPES)))
    floor, peak_floor = timed(lambda: bare(events))
    print(f"{customers:>9,} customers, {events.height:>10,} enquiries; data alone {data:,} MiB")
    print(f"  bare group-by, no windows    {floor:7.2f} s               peak {peak_floor:,} MiB")
    figures = 24 + 4
    for name, scopes, seconds, peak in (("ours", few, ours_few, peak_few), ("ours", tuple(SCOPES), ours_all, peak_all)):
        wide = len(scopes) * 12 + figures
        print(f"  {name}, {wide:>3} figures            {seconds:7.2f} s  x {seconds / floor:4.2f}  peak {peak:,} MiB")
    if with_plain:
        written, peak = timed(lambda: plain(events))
        print(f"  plain polars, 36 figures     {written:7.2f} s  x {written / floor:4.2f}  peak {peak:,} MiB")


def road(customers: int, url: str | None) -> None:
    """Print what reading, counting and writing the answers of a portfolio takes."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(url or f"sqlite:///{Path(folder) / 'bench.db'}")
        upgrade(database)
        units = UnitsOfWork(database)
        with units.begin() as uow:
            for table in reversed(User.metadata.sorted_tables):
                uow.session.execute(table.delete())
            _load(uow.session, customers)
        started = time.perf_counter()
        with units.begin() as uow:
            said = signals.compute(uow, as_of=DAY, provider="bureau")
        first = time.perf_counter() - started
        with units.begin() as uow:
            few = enquiries(max(customers // 100, 1)).unique("customer_id", maintain_order=True)
            _tell(uow.session, few, prefix="N", on=LATER)
        started = time.perf_counter()
        with units.begin() as uow:
            again = signals.compute(uow, as_of=LATER, provider="bureau")
        second = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{customers:>9,} customers, {database.engine.dialect.name}: {said['written']:,} answers in {first:.2f} s; "
            f"with news of {again['counted']:,}: {second:.2f} s; peak {peak:,} MiB"
        )
        database.engine.dispose()


def _load(session: sa.orm.Session, customers: int) -> None:
    ids = pl.DataFrame({"customer_ref": [f"C{n}" for n in range(customers)]})
    staged = bulk.stage(session, "bench_customer", ids)
    usual = {
        "source": "bench", "party_type": "person", "language": "en-US", "country": "US",
    }  # fmt: skip
    columns = {c: sa.literal(v) for c, v in usual.items()} | {"customer_ref": staged.c.customer_ref}
    for name in ("regions", "zones", "preferences"):
        columns[name] = bulk.as_json(session, sa.literal("[]"))
    bulk.upsert(session, table_of(Customer), staged, keys=("source", "customer_ref"), columns=columns)
    _tell(session, enquiries(customers), prefix="E", on=DAY)
    asked = ids.with_columns(
        provider=pl.lit("bureau"), product=pl.lit("enquiries"), snapshot_on=pl.lit(DAY), hit_status=pl.lit("hit"),
        purpose_code=pl.lit("post_loan"), consent_ref=pl.lit("K1"),
    )  # fmt: skip
    signals.write_signals(session, asked, source="bench", business_date=DAY)


def _tell(session: sa.orm.Session, events: pl.DataFrame, *, prefix: str, on: date) -> None:
    told = events.with_columns(
        enquiry_ref=pl.format(prefix + "{}", pl.int_range(pl.len())), provider=pl.lit("bureau"),
        customer_ref=pl.format("C{}", pl.col("customer_id") - 1),
    ).drop("customer_id", "received_on")  # fmt: skip
    signals.write_enquiries(session, told, source="bench", business_date=on)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("count", "road"))
    parser.add_argument("--customers", type=int, nargs="+", default=[100_000])
    parser.add_argument("--plain", action="store_true", help="count: time the plain polars query too (slow)")
    parser.add_argument("--url", help="road: a database to use; it is emptied")
    chosen = parser.parse_args()
    for number in chosen.customers:
        if chosen.what == "count":
            count(number, with_plain=chosen.plain)
        else:
            road(number, chosen.url)
