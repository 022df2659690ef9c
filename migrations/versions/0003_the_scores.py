"""the scores"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_alert",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("model_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("trigger", sa.String(length=40), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("sentence", sa.String(length=500), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_model_alert_model_version_id_model_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_alert")),
    )
    with op.batch_alter_table("model_alert", schema=None) as batch_op:
        batch_op.create_index(
            "uq_model_alert_open",
            ["model_version_id", "trigger"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "model_figure",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("model_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("cadence", sa.String(length=8), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=False),
        sa.Column("segment", sa.String(length=64), server_default="all", nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_model_figure_model_version_id_model_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_figure")),
        sa.UniqueConstraint(
            "model_version_id",
            "as_of",
            "metric",
            "segment",
            name=op.f("uq_model_figure_model_version_id_as_of_metric_segment"),
        ),
    )
    op.create_table(
        "model_move",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("model_version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_stage", sa.String(length=16), nullable=False),
        sa.Column("to_stage", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(length=500), server_default="", nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_version.id"], name=op.f("fk_model_move_model_version_id_model_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_move")),
    )
    with op.batch_alter_table("model_move", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_move_model_version_id"), ["model_version_id"], unique=False)

    op.create_table(
        "customer_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("event_ref", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("known_on", sa.Date(), nullable=False),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_customer_event_account_id_account")),
        sa.ForeignKeyConstraint(["batch_id"], ["feed_batch.id"], name=op.f("fk_customer_event_batch_id_feed_batch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_event")),
        sa.UniqueConstraint("source", "event_ref", name=op.f("uq_customer_event_source_event_ref")),
    )
    with op.batch_alter_table("customer_event", schema=None) as batch_op:
        batch_op.create_index("ix_customer_event_account_id_on", ["account_id", "occurred_on"], unique=False)

    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.add_column(sa.Column("algorithm", sa.String(length=24), server_default="boosted", nullable=False))
        batch_op.add_column(sa.Column("purpose", sa.String(length=24), server_default="risk", nullable=False))

    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.add_column(sa.Column("purpose", sa.String(length=24), server_default="risk", nullable=False))
        batch_op.add_column(sa.Column("is_shadow", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("is_fallback", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(
            sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.alter_column("case_id", existing_type=sa.INTEGER(), nullable=True)
        batch_op.drop_index(batch_op.f("ix_score_score_run_id"))
        batch_op.drop_constraint(batch_op.f("uq_score_case_id_score_run_id"), type_="unique")
        batch_op.create_index("ix_score_case_id_purpose", ["case_id", "purpose", "business_date"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_score_score_run_id_account_id"), ["score_run_id", "account_id"]
        )
        batch_op.drop_constraint(batch_op.f("fk_score_account_id_account"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_score_case_id_case"), type_="foreignkey")

    with op.batch_alter_table("score_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stage", sa.String(length=16), server_default="champion", nullable=False))
        batch_op.add_column(sa.Column("fallback_rows", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(
            sa.Column(
                "figures",
                sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
                server_default=sa.text("'{}'"),
                nullable=False,
            )
        )

    with op.batch_alter_table("training_label", schema=None) as batch_op:
        batch_op.add_column(sa.Column("value", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("arm", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("propensity", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("is_worked", sa.Boolean(), nullable=True))
        batch_op.create_index("ix_training_label_label_observed_on", ["label", "observed_on"], unique=False)


def downgrade() -> None:
    # The older schema holds one score to a case, and none without a case.
    op.execute("DELETE FROM score WHERE case_id IS NULL")
    op.execute("DELETE FROM score WHERE id NOT IN (SELECT min(id) FROM score GROUP BY case_id, score_run_id)")
    with op.batch_alter_table("training_label", schema=None) as batch_op:
        batch_op.drop_index("ix_training_label_label_observed_on")
        batch_op.drop_column("is_worked")
        batch_op.drop_column("propensity")
        batch_op.drop_column("arm")
        batch_op.drop_column("value")

    with op.batch_alter_table("score_run", schema=None) as batch_op:
        batch_op.drop_column("figures")
        batch_op.drop_column("fallback_rows")
        batch_op.drop_column("stage")

    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.create_foreign_key(batch_op.f("fk_score_case_id_case"), "case", ["case_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_score_account_id_account"), "account", ["account_id"], ["id"])
        batch_op.drop_constraint(batch_op.f("uq_score_score_run_id_account_id"), type_="unique")
        batch_op.drop_index("ix_score_case_id_purpose")
        batch_op.create_unique_constraint(batch_op.f("uq_score_case_id_score_run_id"), ["case_id", "score_run_id"])
        batch_op.create_index(batch_op.f("ix_score_score_run_id"), ["score_run_id"], unique=False)
        batch_op.alter_column("case_id", existing_type=sa.INTEGER(), nullable=False)
        batch_op.drop_column("details")
        batch_op.drop_column("is_fallback")
        batch_op.drop_column("is_shadow")
        batch_op.drop_column("purpose")

    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.drop_column("purpose")
        batch_op.drop_column("algorithm")

    with op.batch_alter_table("customer_event", schema=None) as batch_op:
        batch_op.drop_index("ix_customer_event_account_id_on")

    op.drop_table("customer_event")
    with op.batch_alter_table("model_move", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_model_move_model_version_id"))

    op.drop_table("model_move")
    op.drop_table("model_figure")
    with op.batch_alter_table("model_alert", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_model_alert_open",
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.drop_table("model_alert")
