"""The declarative base: naming convention and the Python-to-column type map."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, mapped_column

from collections_app.db.types import BigId, Json, RateNano, UtcDateTime

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]
MinorUnits = Annotated[int, mapped_column(sa.BigInteger)]
Rate = Annotated[Decimal, mapped_column(RateNano())]
Currency = Annotated[str, mapped_column(sa.String(3))]


class Base(DeclarativeBase):
    """All tables; no rules live on them."""

    metadata = sa.MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
        list[int]: Json,
        StrEnum: sa.String(32),
    }


def ref(target: str, *, index: bool = True, nullable: bool = False) -> Any:
    """Return a foreign-key column; indexed unless a wider index already starts with it."""
    return mapped_column(BigId, sa.ForeignKey(target), index=index, nullable=nullable)


def table_of(entity: type[Base]) -> sa.Table:
    """Return the Core table of an entity, for set-based statements."""
    table = entity.__table__
    assert isinstance(table, sa.Table)
    return table
