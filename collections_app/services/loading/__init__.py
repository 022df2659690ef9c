"""Accepted frames into the tables at near the speed of raw COPY: set by set, with what was told before kept."""

from collections.abc import Callable
from datetime import date

import polars as pl

from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.intake.mapping import Mapping
from collections_app.services import signals
from collections_app.services.loading import accounts, activity, events, labels, payments, people, placements, schedules
from collections_app.services.loading.known import FEW, Counts, Known, Load

__all__ = ["Counts", "Known", "Load", "finish", "prepare_frame", "warm", "write", "write_frame"]

_WRITERS: dict[str, Callable[[Load, pl.DataFrame], Counts]] = {
    "customers": people.write_customers,
    "accounts": accounts.write,
    "instalments": schedules.write_instalments,
    "contact_points": people.write_points,
    "payments": payments.write,
    "cycles": schedules.write_cycles,
    "placements": placements.write,
    "agency_activity": activity.write,
    "events": events.write,
    "labels": labels.write,
}
_OUTSIDE = {
    "signals": signals.write_signals,
    "enquiries": signals.write_enquiries,
    "list_hits": signals.write_list_hits,
}


def write(
    uow: UnitOfWork,
    entity: str,
    frame: pl.DataFrame,
    *,
    source: str,
    mapping: Mapping,
    business_date: date,
    batch_id: int,
) -> Counts:
    """Write one canonical frame (columns of intake/entities.py and ``_line``) of an entity.

    Repeatable: rows that are held already change nothing. Rows that cannot be written are in ``Counts.rejects``
    with their line and the reason. For files of many frames see ``write_frame``
    and ``finish``.
    """
    known = Known(uow.session, source)
    with known.copier:
        load = Load(uow, known, mapping, business_date, batch_id)
        return write_frame(load, entity, frame).plus(finish(load))


def prepare_frame(entity: str, frame: pl.DataFrame, *, mapping: Mapping, business_date: date) -> pl.DataFrame:
    """Do what needs no database of writing a frame: for the next frame, while one is being written."""
    return accounts.prepare(mapping, business_date, frame) if entity == "accounts" else frame


def warm(load: Load, entity: str) -> None:
    """Read what a large file of an entity will be compared with, while its first rows are read."""
    if load.rows > FEW:
        if entity == "customers" or (entity == "accounts" and load.known.accounts.is_empty()):
            _ = load.known.customers
        elif entity != "accounts":
            _ = load.known.accounts


def finish(load: Load) -> Counts:
    """Write what a file's last frame left waiting."""
    return accounts.finish(load)


def write_frame(load: Load, entity: str, frame: pl.DataFrame) -> Counts:
    """Write one frame of many: what ``load.known`` has read is not read again."""
    if frame.is_empty():
        return Counts()
    if entity in _WRITERS:
        return _WRITERS[entity](load, frame)
    if entity not in _OUTSIDE:
        raise InvalidInput(f"there is no entity {entity!r}")
    told, orphans = load.of_customers(frame)
    load.known.copier.drain()
    plain = told.drop("_line", "customer_id", "op", "valid_from", strict=False)
    new = _OUTSIDE[entity](load.session, plain, source=load.source, business_date=load.business_date)
    return Counts(new=new, unchanged=told.height - new, rejects=tuple(orphans))
