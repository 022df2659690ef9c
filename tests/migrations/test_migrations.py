"""One head, both directions, and no difference between the migrations and the tables."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from collections_app.db.base import Base
from collections_app.db.migrate import SCRIPTS, current, downgrade, head, upgrade
from collections_app.db.session import Database
from collections_app.db.tables import AccountStanding
from collections_app.db.types import EnumText, RateNano, UtcDateTime


def test_there_is_one_head_and_it_is_the_committed_one() -> None:
    assert len(ScriptDirectory(str(SCRIPTS)).get_heads()) == 1
    assert (SCRIPTS / ".current-head").read_text().strip() == head()


def test_going_down_to_nothing_and_up_again_works(database: Database) -> None:
    downgrade(database, "base")
    with database.engine.connect() as connection:
        left = set(sa.inspect(connection).get_table_names())
    assert left <= {"alembic_version"}
    upgrade(database)
    assert current(database) == head()


def test_what_stood_before_the_ledger_stands_after_it(database: Database) -> None:
    downgrade(database, "0001")
    with database.engine.begin() as connection:
        for statement in (
            "INSERT INTO customer (id, source, customer_ref, country, regions, zones, preferences) "
            "VALUES (1, 's', 'C1', 'US', '[]', '[]', '[]')",
            "INSERT INTO account (id, source, account_ref, customer_id, creditor, collector_role, product_family, "
            "currency, balance_amount, arrears_amount, oldest_unpaid_due_on, dpd, bucket, bucket_table, status, "
            "as_of_on) VALUES (1, 's', 'A1', 1, 'Bank', 'first_party', 'card', 'USD', 900, 100, '2026-02-27', 3, "
            "'M1', 'cn', 'active', '2026-03-02')",
            "INSERT INTO account_snapshot (account_id, business_date, dpd, bucket, balance_amount, arrears_amount, "
            "status) VALUES (1, '2026-03-01', 2, 'M1', 900, 100, 'active'), "
            "(1, '2026-03-02', 3, 'M1', 900, 100, 'active')",
            "INSERT INTO external_signal (customer_id, provider, snapshot_on, received_on, hit_status, fields) "
            "VALUES (1, 'bureau', '2026-03-01', '2026-03-02', 'hit', '{}')",
            "INSERT INTO episode (account_id, entry_on, entry_dpd, entry_arrears_amount, max_dpd) "
            "VALUES (1, '2026-02-28', 1, 100, 3)",
        ):
            connection.execute(sa.text(statement))
    upgrade(database)
    with database.engine.connect() as connection:
        spans = connection.execute(sa.text("SELECT dpd FROM account_standing ORDER BY from_on")).scalars().all()
        told = connection.execute(sa.text("SELECT arrears_source_amount, row_hash FROM account")).one()
        kept = connection.execute(sa.text("SELECT count(*) FROM episode")).scalar_one()
    with database.reading() as session:
        known = session.scalars(sa.select(AccountStanding.known_from).order_by(AccountStanding.from_on)).all()
    assert known == [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]
    assert (list(spans), tuple(told), kept) == ([2, 3], (100, 0), 1)
    downgrade(database, "0001")
    with database.engine.connect() as connection:
        days = connection.execute(sa.text("SELECT dpd FROM account_snapshot ORDER BY business_date")).scalars().all()
    assert list(days) == [2, 3]
    upgrade(database)


def _same_type(_context: object, _column: object, _meta: object, inspected: object, metadata: object) -> bool | None:
    if isinstance(metadata, UtcDateTime):
        return not isinstance(inspected, sa.DateTime)
    if isinstance(metadata, EnumText):
        return not isinstance(inspected, sa.String)
    if isinstance(metadata, RateNano):
        return not isinstance(inspected, sa.Integer)
    return None


def test_the_migrations_build_exactly_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": _same_type})
        assert compare_metadata(context, Base.metadata) == []
