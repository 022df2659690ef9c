"""Frames into tables and back: every value survives the road, on both databases."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from collections_app.db import bulk
from collections_app.db.copying import Copier, references_checked_at_end
from collections_app.db.session import Database
from collections_app.db.tables import Account, AccountCycle, AccountStanding, Customer, Episode

FRAME = pl.DataFrame(
    {
        "number": [1, None, -(2**62)],
        "text": ["a,\"b\"\n100% 'c' \\N \\.", "", None],
        "day": [date(2026, 3, 2), None, date(1900, 1, 1)],
        "at": [datetime(2026, 3, 2, 1, 2, 3, 456789, UTC), datetime(2026, 12, 31, tzinfo=UTC), None],
        "flag": [True, None, False],
        "share": [0.1, None, -2.5e300],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC")},
)


@pytest.mark.parametrize("frame", [FRAME, FRAME.drop("share"), FRAME[:1], FRAME[[0, 0]]])
def test_what_is_staged_is_read_back_as_it_was(database: Database, frame: pl.DataFrame) -> None:
    with database.sessions() as session:
        staged = bulk.stage(session, "staged_all", frame)
        read = bulk.read(session, sa.select(staged).order_by(staged.c.at.desc().nulls_last()), frame.schema)
        assert_frame_equal(read, frame.sort("at", descending=True, nulls_last=True))


@pytest.mark.parametrize("text", ["100%", "%s", "it's", "a\\b", ":name", "ß漢"])
def test_any_text_can_be_asked_for(database: Database, text: str) -> None:
    with database.sessions() as session:
        staged = bulk.stage(session, "staged_text", pl.DataFrame({"text": [text, "other"]}))
        like = sa.or_(staged.c.text == text, staged.c.text.like("%no%such%"))
        assert bulk.read(session, sa.select(staged.c.text).where(like), {"text": pl.String})["text"].to_list() == [text]


def test_an_empty_result_keeps_its_types(database: Database) -> None:
    with database.sessions() as session:
        staged = bulk.stage(session, "staged_none", FRAME.clear())
        assert bulk.read(session, sa.select(staged), FRAME.schema).schema == FRAME.schema


def test_a_statement_that_fails_while_it_is_read_says_why(database: Database) -> None:
    fails = 1 / sa.literal_column("0") if database.is_postgresql else sa.func.json("{")
    with database.sessions() as session, pytest.raises(Exception, match=r"division by zero|malformed JSON"):
        bulk.read(session, sa.select(fails.label("n")), {"n": pl.Int64})


def _customers(numbers: range) -> pl.DataFrame:
    return pl.DataFrame({
        "id": list(numbers), "source": "s", "customer_ref": [f"C{n}" for n in numbers], "country": "US",
        "regions": "[]", "zones": "[]", "preferences": "[]",
    })  # fmt: skip


def _count(session: Any) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(Customer))


def test_the_copier_brings_everything_in_order(database: Database) -> None:
    with database.sessions() as session:
        with Copier(session) as copier:
            for start in range(1, 900, 100):
                copier.add(Customer.__table__, _customers(range(start, start + 100)))  # type: ignore[arg-type]
        assert _count(session) == 900


def _copy_twice(session: Any) -> None:
    with Copier(session) as copier:
        for _ in range(5):
            copier.add(Customer.__table__, _customers(range(1, 3)))  # type: ignore[arg-type]


def test_what_the_copier_meets_with_is_raised_where_the_rows_came_from(database: Database) -> None:
    with database.sessions() as session:
        with pytest.raises(Exception, match=r"(?i)unique"):
            _copy_twice(session)
        session.rollback()
        assert _count(session) == 0


def test_references_that_are_checked_at_the_end_are_checked(database: Database) -> None:
    cycles = pl.DataFrame({"account_id": [404], "cycle_end_on": [date(2026, 3, 2)]})
    table: Any = AccountCycle.__table__
    with database.sessions() as session:
        with pytest.raises(Exception, match=r"(?i)foreign key"), references_checked_at_end(session, table):
            bulk.insert(session, table, cycles)
        session.rollback()
        with references_checked_at_end(session, table):
            pass
        with pytest.raises(Exception, match=r"(?i)foreign key"):  # and they are back
            bulk.insert(session, table, cycles)


def _shape(session: Any) -> list[Any]:
    inspector = sa.inspect(session.connection())
    return [
        (name, inspector.get_pk_constraint(name)["constrained_columns"],
         sorted((i["name"], *i["column_names"], bool(i["unique"])) for i in inspector.get_indexes(name)),
         sorted((u["name"], *u["column_names"]) for u in inspector.get_unique_constraints(name)),
         sorted((str(f["name"]), f["referred_table"], *f["constrained_columns"])
                for f in inspector.get_foreign_keys(name)))
        for name in ("account", "account_standing", "episode")
    ]  # fmt: skip


def test_what_a_first_load_puts_aside_is_back_afterwards(database: Database) -> None:
    tables: Any = [t.__table__ for t in (Account, AccountStanding, Episode)]
    with database.sessions() as session:
        before = _shape(session)
        with references_checked_at_end(session, *tables, indexes=True) as is_alone:
            assert (_shape(session) != before) == is_alone == database.is_postgresql
        assert _shape(session) == before


def test_ids_are_fresh_even_when_another_load_draws_between(database: Database) -> None:
    table: Any = Customer.__table__
    with database.sessions() as session:
        bulk.insert(session, table, _customers(range(1, 4)))
        if database.is_postgresql:
            session.execute(sa.text("SELECT setval('customer_id_seq', 3)"))
        first = bulk.next_ids(session, table, 5)
        assert first.to_list() == [4, 5, 6, 7, 8]
