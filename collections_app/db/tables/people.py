"""People who log in."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref
from collections_app.db.types import EnumText
from collections_app.domain.permissions import Role


class User(Base):
    """A person with one role. ``user`` is a reserved word in PostgreSQL, hence the table's name."""

    __tablename__ = "app_user"

    id: Mapped[Id]
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)
    display_name: Mapped[str] = mapped_column(sa.String(100))
    password_hash: Mapped[str] = mapped_column(sa.String(200))
    role: Mapped[Role] = mapped_column(EnumText(Role))
    agent_id: Mapped[int | None] = ref("agent.id", index=False, nullable=True)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=sa.text("true"))
