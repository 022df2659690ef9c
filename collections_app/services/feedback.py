"""The way back: what collections learned about each episode, for B-cards upstream (domain brief §3.9)."""

import os
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from collections_app.queries.episode_feedback import SCHEMA_VERSION, build


def export_feedback(session: Session, *, as_of: date, out: Path) -> dict[str, Any]:
    """Write the feed as known at the end of ``as_of`` (UTC) to a Parquet file, whole or not at all."""
    frame = build(session, as_of=as_of)
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=out.parent)
    os.close(handle)
    staging = Path(name)
    try:
        metadata = {"schema_version": str(SCHEMA_VERSION), "as_of": as_of.isoformat()}
        frame.write_parquet(staging, metadata=metadata)
        staging.chmod(0o644)
        staging.replace(out)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise
    ended = frame.filter(pl.col("ended_on").is_not_null()).height
    return {
        "rows": frame.height, "ended": ended, "open": frame.height - ended, "as_of": as_of.isoformat(),
        "schema_version": SCHEMA_VERSION, "file": str(out),
    }  # fmt: skip
