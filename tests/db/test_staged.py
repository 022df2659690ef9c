"""A query that joins staged ids may know their range, and reads nothing else for it."""

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db import tables as t
from collections_app.db.base import table_of
from collections_app.db.staged import within
from collections_app.db.unit_of_work import UnitsOfWork
from tests.factories import make_customer


def test_the_range_of_staged_ids_limits_a_column_to_it(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        ids = [make_customer(uow.session).id for _ in range(5)]
        wanted = bulk.stage(
            uow.session, "staged_some", bulk.frame_of_ids("customer_id", [ids[3], ids[1]]), index=("customer_id",)
        )
        column = table_of(t.Customer).c.id
        inside = uow.session.scalars(sa.select(column).where(within(column, wanted)).order_by(column)).all()
        assert inside == ids[1:4]
        joined = sa.select(column).join(wanted, wanted.c.customer_id == column).where(within(column, wanted))
        assert sorted(uow.session.scalars(joined)) == [ids[1], ids[3]]


def test_what_has_no_range_limits_nothing(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        column = table_of(t.Customer).c.id
        unknown = bulk.stage(uow.session, "staged_some", pl.DataFrame({"customer_id": [7]}))
        none = bulk.stage(uow.session, "staged_none", bulk.frame_of_ids("customer_id", []), index=("customer_id",))
        for staged in (unknown, none, sa.select(column).subquery()):
            assert within(column, staged).compare(sa.true())
