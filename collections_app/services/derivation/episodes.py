"""Episodes as derived, brought together with those on record: opened, ended, opened again, shown never to have been."""

from collections import Counter
from datetime import date

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Case, Episode
from collections_app.domain.cases import EpisodeEnd
from collections_app.ledger import frames
from collections_app.ledger.frames import Derived
from collections_app.services.derivation.facts import EVER, Chunk

_ENTRY = ("entry_on", "entry_dpd", "entry_arrears_amount")
_VALUES = (*_ENTRY, "max_dpd", "ended_on", "end_reason")
_ON_RECORD: frames.Schema = {"id": pl.Int64, **frames.DERIVED_EPISODES}
_FAR = date(9999, 12, 31)


def reconcile(session: Session, chunk: Chunk, derived: Derived, *, as_of: date) -> dict[str, int]:
    """Make the episodes on record those that are derived; return how many were opened, cured, reopened, restated.

    The same spell keeps its row, and with it its case, however its days are restated. What ended before the present
    schedule took over is left as it was.
    """
    episode = table_of(Episode)
    on_record = bulk.read(
        session,
        sa.select(*(sa.cast(episode.c[c], sa.String(32)).label(c) if c == "end_reason" else episode.c[c]
                    for c in _ON_RECORD))
        .join(chunk.staged, chunk.staged.c.account_id == episode.c.account_id),
        _ON_RECORD,
    )  # fmt: skip
    since = chunk.accounts.select("account_id", switched_on=pl.col("schedule_since_on").fill_null(pl.lit(EVER)))
    before = on_record.join(since, on="account_id").filter(
        ~(pl.col("ended_on") <= pl.col("switched_on")).fill_null(value=False)
    )
    spells = derived.episodes.join(since, on="account_id").filter(
        ~(pl.col("ended_on") <= pl.col("switched_on")).fill_null(value=False)
    )
    pairs = matched(spells, before)
    lasting = _lasting(spells, before, pairs)
    ending = _ending(before.join(pairs, on="id", how="anti"), as_of=as_of)
    new = _begun_with_the_schedule(spells.join(pairs, on=["account_id", "entry_on"], how="anti"), derived.standings)
    changes = pl.concat([lasting, ending])
    _write(session, changes.join(before.select("id", *(pl.col(c).alias(f"{c}_before") for c in _VALUES)), on="id"))
    if not new.is_empty():
        bulk.insert(session, episode, new.select(*frames.DERIVED_EPISODES).sort("account_id", "entry_on"))
    return _counted(changes, before, new)


def _begun_with_the_schedule(new: pl.DataFrame, standings: pl.DataFrame) -> pl.DataFrame:
    """Let a spell that only a later schedule tells of begin when that schedule takes over, as the account then stands.

    What was believed before stays: by the schedule of that time the account was not past due on those days.
    """
    early = pl.col("entry_on") < pl.col("switched_on")
    if new.filter(early).is_empty():
        return new
    passed = (pl.col("switched_on") - pl.col("from_on")).dt.total_days()
    then = (
        new.filter(early)
        .sort("switched_on")
        .join_asof(
            standings.sort("from_on"),
            left_on="switched_on",
            right_on="from_on",
            by="account_id",
            strategy="backward",
            check_sortedness=False,  # both sides are sorted just above; with a key polars cannot see it
        )
        .with_columns(
            entry_on=pl.col("switched_on"),
            entry_dpd=pl.col("dpd") + pl.when("is_ageing").then(passed).otherwise(0),
            entry_arrears_amount=pl.col("arrears_amount"),
        )
    )
    return pl.concat([new.filter(~early), then.select(new.columns)])


def matched(spells: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Pair derived spells with rows on record: ``account_id, entry_on`` (of the spell), ``id``; each at most once.

    Rows that began on the same day belong together, else rows that overlap, the earliest first. A row that was shown
    never to have been is taken up again only by a spell of the same day.
    """
    restated = pl.col("end_reason") == EpisodeEnd.RESTATED.value
    exact = (
        before.with_columns(is_restated=restated.fill_null(value=False))
        .sort("is_restated", "id")
        .unique(["account_id", "entry_on"], keep="first", maintain_order=True)
        .join(spells.select("account_id", "entry_on"), on=["account_id", "entry_on"])
        .select("account_id", "entry_on", "id")
    )
    pairs = [exact]
    left = spells.select("account_id", "entry_on", "ended_on").join(exact, on=["account_id", "entry_on"], how="anti")
    rows = before.filter(~restated.fill_null(value=False)).join(exact, on="id", how="anti")
    candidates = (
        left.join(rows.select("account_id", "id", row_on="entry_on", row_end="ended_on"), on="account_id")
        .filter(pl.col("row_on") < pl.col("ended_on").fill_null(_FAR),
                pl.col("entry_on") < pl.col("row_end").fill_null(_FAR))
        .sort("account_id", "entry_on", "row_on", "id")
        .select("account_id", "entry_on", "id")
    )  # fmt: skip
    while not candidates.is_empty():
        pair = candidates.unique(["account_id", "entry_on"], keep="first", maintain_order=True).unique(
            "id", keep="first", maintain_order=True
        )
        pairs.append(pair)
        candidates = candidates.join(pair, on=["account_id", "entry_on"], how="anti").join(pair, on="id", how="anti")
    return pl.concat(pairs)


def _lasting(spells: pl.DataFrame, before: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return ``id`` and the values of rows that go on as derived; what preceded the present schedule stays."""
    held = before.select("id", *(pl.col(c).alias(f"{c}_held") for c in (*_ENTRY, "max_dpd")))
    both = spells.join(pairs, on=["account_id", "entry_on"]).join(held, on="id")
    held_on, switched_on = pl.col("entry_on_held"), pl.col("switched_on")
    keeps = (held_on < switched_on) | ((held_on == switched_on) & (pl.col("entry_on") < switched_on))
    return both.select(
        "id",
        *(pl.when(keeps).then(pl.col(f"{c}_held")).otherwise(pl.col(c)).alias(c) for c in _ENTRY),
        pl.when(keeps).then(pl.max_horizontal("max_dpd", "max_dpd_held")).otherwise("max_dpd").alias("max_dpd"),
        "ended_on",
        "end_reason",
    )


def _ending(unmatched: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return ``id`` and the values of rows that nothing derived stands for."""
    modified = pl.col("entry_on") < pl.col("switched_on")
    restated = pl.col("end_reason") == EpisodeEnd.RESTATED.value
    return unmatched.filter(~restated.fill_null(value=False)).select(
        "id",
        *_ENTRY,
        "max_dpd",
        pl.when(modified).then("switched_on").otherwise(pl.col("ended_on").fill_null(pl.lit(as_of))).alias("ended_on"),
        pl.when(modified)
        .then(pl.lit(EpisodeEnd.MODIFIED.value))
        .otherwise(pl.lit(EpisodeEnd.RESTATED.value))
        .alias("end_reason"),
    )


def _write(session: Session, changes: pl.DataFrame) -> None:
    differs = pl.any_horizontal(*(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in _VALUES))
    changed = changes.filter(differs).select("id", *_VALUES)
    episode, case = table_of(Episode), table_of(Case)
    # One open episode an account: rows end before others open again.
    for name, part in (
        ("staged_ended", changed.filter(pl.col("ended_on").is_not_null())),
        ("staged_open", changed.filter(pl.col("ended_on").is_null())),
    ):
        if part.is_empty():
            continue
        staged = bulk.stage(session, name, part, index=("id",))
        values = {c: staged.c[c] for c in _VALUES}
        if name == "staged_open":
            # A case that was closed is not opened again: casework finds the episode its place.
            live = sa.select(case.c.id).where(case.c.id == episode.c.case_id, case.c.closed_on.is_(None))
            values["case_id"] = live.scalar_subquery()  # type: ignore[assignment]
        session.execute(sa.update(episode).where(episode.c.id == staged.c.id).values(values))


def _counted(changes: pl.DataFrame, before: pl.DataFrame, new: pl.DataFrame) -> dict[str, int]:
    both = changes.join(before.select("id", was_end="ended_on", was_reason="end_reason"), on="id")
    was_open, is_open = pl.col("was_end").is_null(), pl.col("ended_on").is_null()
    ends = Counter(both.filter(was_open, ~is_open)["end_reason"].to_list())
    ended_now = both.filter(pl.col("end_reason").ne_missing(pl.col("was_reason")))
    return {
        "episodes_opened": new.filter(pl.col("ended_on").is_null()).height,
        "episodes_cured": ends[EpisodeEnd.CURED.value],
        "episodes_reopened": both.filter(~was_open, is_open).height,
        "episodes_restated": ended_now.filter(pl.col("end_reason") == EpisodeEnd.RESTATED.value).height,
    }
