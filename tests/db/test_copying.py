"""A first load says once what all rows say alike, and no row says what it was not told."""

from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from collections_app.db.copying import Copier
from collections_app.db.session import Database
from collections_app.db.tables import Customer

TABLE: Any = Customer.__table__


def customers(numbers: range, **more: Any) -> pl.DataFrame:
    said = {"source": "s", "country": "US", "regions": "[]", "zones": "[]", "preferences": "[]"}
    refs = [f"C{n}" for n in numbers]
    return pl.DataFrame({"id": list(numbers), "customer_ref": refs}).with_columns(
        pl.lit(value).alias(name) for name, value in {**said, **more}.items()
    )


@pytest.mark.parametrize("first", [range(1, 4), range(1, 2)], ids=["three rows", "one row"])
def test_what_a_later_frame_leaves_out_is_empty_and_not_as_in_the_first(database: Database, first: range) -> None:
    frames = [
        customers(first, full_name="Pat", party_type="person"),
        customers(range(10, 12)),
        customers(range(20, 21), full_name="Pat"),
    ]
    with database.sessions() as session:
        with Copier(session) as copier, copier.first_load(TABLE):
            for frame in frames:
                copier.add(TABLE, frame)
        columns = (Customer.id, Customer.full_name, Customer.country)
        rows = [tuple(row) for row in session.execute(sa.select(*columns).order_by(Customer.id))]
    assert rows == [
        *((n, "Pat", "US") for n in first), (10, None, "US"), (11, None, "US"), (20, "Pat", "US")
    ]  # fmt: skip
