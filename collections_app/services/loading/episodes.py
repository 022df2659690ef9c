"""Episodes of accounts whose source keeps their due date: they follow what is told (domain brief §8.5)."""

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, Episode
from collections_app.domain.cases import EpisodeEnd
from collections_app.services.loading.known import Counts, Load

# Statuses in which an account can fall past due.
OPEN = ("active", "legal", "forborne")
_ENDS = {
    "charged_off": EpisodeEnd.CHARGED_OFF,
    "sold": EpisodeEnd.SOLD,
    "closed": EpisodeEnd.PAID_OFF,
    "settled": EpisodeEnd.PAID_OFF,
}
_STATE = {"account_id": pl.Int64, "dpd": pl.Int64, "arrears_amount": pl.Int64, "status": pl.String}


def begin(load: Load, fresh: pl.DataFrame) -> Counts:
    """Open an episode for each account (columns _STATE) that is past due and has none."""
    late = fresh.filter(pl.col("dpd") >= 1, pl.col("status").is_in(OPEN))
    load.known.copier.add(
        table_of(Episode),
        late.select(
            "account_id",
            pl.lit(load.business_date).alias("entry_on"),
            pl.col("dpd").alias("entry_dpd"),
            pl.col("arrears_amount").alias("entry_arrears_amount"),
            pl.col("dpd").alias("max_dpd"),
        ),
    )
    return Counts(episodes_opened=late.height)


def follow(load: Load, staged: sa.Table) -> Counts:
    """End, deepen or open the episodes of staged accounts (``account_id``) as they stand by now. Repeatable."""
    session, account, episode = load.session, table_of(Account), table_of(Episode)
    state = bulk.read(
        session,
        sa.select(*(staged.c[c] if c == "account_id" else account.c[c] for c in _STATE))
        .join(account, account.c.id == staged.c.account_id)
        .where(account.c.basis == "source"),
        _STATE,
    )
    running = bulk.read(
        session,
        sa.select(episode.c.id, episode.c.account_id, episode.c.max_dpd)
        .join(staged, staged.c.account_id == episode.c.account_id)
        .where(episode.c.ended_on.is_(None)),
        {"id": pl.Int64, "account_id": pl.Int64, "max_dpd": pl.Int64},
    )
    both = state.join(running, on="account_id", how="left")
    gone = pl.col("status").replace_strict({k: v.value for k, v in _ENDS.items()}, default=None, return_dtype=pl.String)
    why = pl.coalesce(gone, pl.when(pl.col("dpd") == 0).then(pl.lit(EpisodeEnd.CURED.value)))
    both = both.with_columns(why.alias("end_reason"))
    ended = both.filter(pl.col("id").is_not_null() & pl.col("end_reason").is_not_null())
    deeper = both.filter(pl.col("end_reason").is_null() & (pl.col("dpd") > pl.col("max_dpd")))
    _write(load, pl.concat([ended, deeper.with_columns(pl.col("dpd").alias("max_dpd"))]))
    opened = begin(load, both.filter(pl.col("id").is_null()))
    load.known.copier.drain()
    cured = ended.filter(pl.col("end_reason") == EpisodeEnd.CURED.value).height
    return opened.plus(Counts(episodes_cured=cured))


def _write(load: Load, changes: pl.DataFrame) -> None:
    if changes.is_empty():
        return
    episode = table_of(Episode)
    staged = bulk.stage(load.session, "staged_episode", changes.select("id", "end_reason", "max_dpd"), index=("id",))
    ended_on = sa.case((staged.c.end_reason.is_not(None), sa.literal(load.business_date, sa.Date())))
    load.session.execute(
        sa.update(episode)
        .where(episode.c.id == staged.c.id)
        .values(ended_on=ended_on, end_reason=staged.c.end_reason, max_dpd=staged.c.max_dpd)
    )
