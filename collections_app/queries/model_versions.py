"""Models as registered: what there is, which works, how good it was."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import ModelVersion
from collections_app.domain.errors import NotFound


@dataclass(frozen=True)
class ModelRow:
    """One version of a model with its card."""

    name: str
    version: str
    stage: str
    trained_at: datetime
    trained_by: str
    approved_at: datetime | None
    approved_by: str | None
    bundle_key: str
    card: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        instants = {k: v.isoformat() for k, v in asdict(self).items() if isinstance(v, datetime)}
        return {**asdict(self), **instants}


def list_models(session: Session) -> list[ModelRow]:
    """Return every version, newest first within its name."""
    rows = session.scalars(sa.select(ModelVersion).order_by(ModelVersion.name, ModelVersion.id.desc()))
    return [_row(m) for m in rows]


def get_model(session: Session, name: str, version: str) -> ModelRow:
    """Return one version, or raise NotFound."""
    row = session.scalar(sa.select(ModelVersion).where(ModelVersion.name == name, ModelVersion.version == version))
    if row is None:
        raise NotFound(f"there is no {name} {version}; `collections model list` shows what there is")
    return _row(row)


def _row(model: ModelVersion) -> ModelRow:
    return ModelRow(
        model.name, model.version, model.stage, model.trained_at, model.trained_by, model.approved_at,
        model.approved_by, model.bundle_key, model.card,
    )  # fmt: skip
