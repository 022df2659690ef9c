"""the ledger"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_day",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("passed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("aged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("business_date", name=op.f("pk_ledger_day")),
    )
    op.create_table(
        "credit_enquiry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("enquiry_ref", sa.String(length=64), nullable=False),
        sa.Column("key_type", sa.String(length=8), nullable=False),
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("institution_type", sa.String(length=16), nullable=False),
        sa.Column("enquired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_hour", sa.Integer(), nullable=True),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_credit_enquiry_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_enquiry")),
        sa.UniqueConstraint("provider", "enquiry_ref", name=op.f("uq_credit_enquiry_provider_enquiry_ref")),
    )
    with op.batch_alter_table("credit_enquiry", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_credit_enquiry_customer_id_enquired_at"), ["customer_id", "enquired_at"], unique=False
        )

    op.create_table(
        "list_hit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("hit_ref", sa.String(length=64), nullable=False),
        sa.Column("list_code", sa.String(length=24), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("event_on", sa.Date(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.Column("removed_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_list_hit_customer_id_customer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_hit")),
        sa.UniqueConstraint(
            "provider", "hit_ref", "received_on", name=op.f("uq_list_hit_provider_hit_ref_received_on")
        ),
    )
    with op.batch_alter_table("list_hit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_list_hit_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "account_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("creditor", sa.String(length=100), nullable=False),
        sa.Column("servicer", sa.String(length=64), nullable=True),
        sa.Column("owner_since_on", sa.Date(), nullable=True),
        sa.Column("collector_role", sa.String(length=16), nullable=False),
        sa.Column("product_code", sa.String(length=64), nullable=True),
        sa.Column("product_family", sa.String(length=24), nullable=False),
        sa.Column("profile", sa.String(length=40), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("matures_on", sa.Date(), nullable=True),
        sa.Column("limit_amount", sa.BigInteger(), nullable=True),
        sa.Column("interest_rate", sa.BigInteger(), nullable=True),
        sa.Column("penalty_rate", sa.BigInteger(), nullable=True),
        sa.Column("day_count", sa.String(length=8), nullable=True),
        sa.Column("due_roll", sa.String(length=12), nullable=True),
        sa.Column("grace_days", sa.Integer(), nullable=True),
        sa.Column("tolerance_amount", sa.BigInteger(), nullable=True),
        sa.Column("tolerance_rate", sa.BigInteger(), nullable=True),
        sa.Column("balance_amount", sa.BigInteger(), nullable=False),
        sa.Column("principal_amount", sa.BigInteger(), nullable=True),
        sa.Column("interest_amount", sa.BigInteger(), nullable=True),
        sa.Column("fees_amount", sa.BigInteger(), nullable=True),
        sa.Column("penalty_amount", sa.BigInteger(), nullable=True),
        sa.Column("arrears_source_amount", sa.BigInteger(), nullable=True),
        sa.Column("minimum_due_amount", sa.BigInteger(), nullable=True),
        sa.Column("due_source_on", sa.Date(), nullable=True),
        sa.Column("dpd_source", sa.Integer(), nullable=True),
        sa.Column("bucket_source", sa.String(length=16), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("charged_off_on", sa.Date(), nullable=True),
        sa.Column("charged_off_amount", sa.BigInteger(), nullable=True),
        sa.Column("limitation_on", sa.Date(), nullable=True),
        sa.Column("limitation_basis", sa.String(length=64), nullable=True),
        sa.Column("ifrs9_stage", sa.Integer(), nullable=True),
        sa.Column("reg_class_source", sa.String(length=24), nullable=True),
        sa.Column("is_secured", sa.Boolean(), nullable=True),
        sa.Column("collateral_ref", sa.String(length=64), nullable=True),
        sa.Column("itemization_on", sa.Date(), nullable=True),
        sa.Column("itemization", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_hash", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_history_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_history")),
    )
    with op.batch_alter_table("account_history", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_account_history_account_id_valid_from"), ["account_id", "valid_from"], unique=False
        )

    op.create_table(
        "account_standing",
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("dpd", sa.Integer(), nullable=False),
        sa.Column("is_ageing", sa.Boolean(), nullable=False),
        sa.Column("arrears_amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_amount", sa.BigInteger(), nullable=False),
        sa.Column("limit_amount", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_standing_account_id_account")),
        sa.ForeignKeyConstraint(["batch_id"], ["feed_batch.id"], name=op.f("fk_account_standing_batch_id_feed_batch")),
        sa.PrimaryKeyConstraint("account_id", "from_on", "known_from", name=op.f("pk_account_standing")),
    )
    with op.batch_alter_table("account_standing", schema=None) as batch_op:
        batch_op.create_index(
            "uq_account_standing_current",
            ["account_id", "from_on"],
            unique=True,
            sqlite_where=sa.text("known_until IS NULL"),
            postgresql_where=sa.text("known_until IS NULL"),
        )

    op.create_table(
        "contact_point_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("contact_point_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner", sa.String(length=24), nullable=False),
        sa.Column("quality", sa.String(length=24), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_point_id"],
            ["contact_point.id"],
            name=op.f("fk_contact_point_history_contact_point_id_contact_point"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_point_history")),
    )
    with op.batch_alter_table("contact_point_history", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_contact_point_history_contact_point_id_valid_from"),
            ["contact_point_id", "valid_from"],
            unique=False,
        )

    op.create_table(
        "delinquency_pause",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_delinquency_pause_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delinquency_pause")),
    )
    with op.batch_alter_table("delinquency_pause", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delinquency_pause_account_id"), ["account_id"], unique=False)

    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("released_on", sa.Date(), nullable=True),
        sa.Column("released_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_hold_case_id_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hold_case_id"), ["case_id"], unique=False)

    op.create_table(
        "instalment",
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("schedule_version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), server_default="scheduled", nullable=False),
        sa.Column("cycle_start_on", sa.Date(), nullable=True),
        sa.Column("cycle_end_on", sa.Date(), nullable=True),
        sa.Column("contract_due_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("rate", sa.BigInteger(), nullable=True),
        sa.Column("cost_due_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fee_due_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("penalty_due_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("interest_due_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("principal_due_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paid_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_instalment_account_id_account")),
        sa.PrimaryKeyConstraint("account_id", "schedule_version", "seq", name=op.f("pk_instalment")),
        postgresql_with={"fillfactor": 85},
    )
    op.create_table(
        "ledger_task",
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ledger_task_account_id_account")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_ledger_task")),
    )
    op.create_table(
        "payment_plan",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_amount", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("waived_principal_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waived_interest_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waived_fees_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("affordability", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("re_ages", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority", sa.String(length=24), nullable=False),
        sa.Column("authority_reasons", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.String(length=200), nullable=True),
        sa.Column("breach", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=True),
        sa.Column("contract_version", sa.Integer(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_payment_plan_account_id_account")),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_payment_plan_case_id_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_plan")),
    )
    with op.batch_alter_table("payment_plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_payment_plan_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_payment_plan_case_id"), ["case_id"], unique=False)
        batch_op.create_index(
            "uq_payment_plan_open",
            ["account_id"],
            unique=True,
            sqlite_where=sa.text("status IN ('proposed', 'active')"),
            postgresql_where=sa.text("status IN ('proposed', 'active')"),
        )

    op.create_table(
        "placement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("placed_with", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("placed_on", sa.Date(), nullable=False),
        sa.Column("recall_due_on", sa.Date(), nullable=True),
        sa.Column("recalled_on", sa.Date(), nullable=True),
        sa.Column("placed_balance_amount", sa.BigInteger(), nullable=False),
        sa.Column("placed_arrears_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_placement_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement")),
    )
    with op.batch_alter_table("placement", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_placement_account_id_placed_on"), ["account_id", "placed_on"], unique=False
        )
        batch_op.create_index(
            "uq_placement_open",
            ["account_id"],
            unique=True,
            sqlite_where=sa.text("recalled_on IS NULL"),
            postgresql_where=sa.text("recalled_on IS NULL"),
        )

    op.create_table(
        "complaint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("agent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("extended_to_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=True),
        sa.Column("redress_amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("root_cause", sa.String(length=200), nullable=True),
        sa.Column("stop_flag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_complaint_agent_id_agent")),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_complaint_case_id_case")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_complaint_customer_id_customer")),
        sa.ForeignKeyConstraint(["stop_flag_id"], ["stop_flag.id"], name=op.f("fk_complaint_stop_flag_id_stop_flag")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
    )
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaint_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "dispute",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("is_written", sa.Boolean(), nullable=False),
        sa.Column("in_validation_period", sa.Boolean(), nullable=False),
        sa.Column("grounds", sa.String(length=16), nullable=False),
        sa.Column("disputed_amount", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("answer_due_on", sa.Date(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=True),
        sa.Column("stop_flag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_dispute_account_id_account")),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_dispute_case_id_case")),
        sa.ForeignKeyConstraint(["stop_flag_id"], ["stop_flag.id"], name=op.f("fk_dispute_stop_flag_id_stop_flag")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
    )
    with op.batch_alter_table("dispute", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dispute_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_dispute_case_id"), ["case_id"], unique=False)

    op.create_table(
        "hardship",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("measures", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("evidence_ref", sa.String(length=200), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("stop_flag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_hardship_case_id_case")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_hardship_customer_id_customer")),
        sa.ForeignKeyConstraint(["stop_flag_id"], ["stop_flag.id"], name=op.f("fk_hardship_stop_flag_id_stop_flag")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hardship")),
    )
    with op.batch_alter_table("hardship", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hardship_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_hardship_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "moratorium",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("account_ids", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("interest_frozen", sa.Boolean(), nullable=False),
        sa.Column("adviser", sa.String(length=200), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("stop_flag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_moratorium_customer_id_customer")),
        sa.ForeignKeyConstraint(["stop_flag_id"], ["stop_flag.id"], name=op.f("fk_moratorium_stop_flag_id_stop_flag")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moratorium")),
    )
    with op.batch_alter_table("moratorium", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_moratorium_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "payment_allocation",
        sa.Column("payment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("schedule_version", sa.Integer(), nullable=False),
        sa.Column("instalment_seq", sa.Integer(), nullable=False),
        sa.Column("component", sa.String(length=12), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_allocation_amount_positive")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_payment_allocation_payment_id_payment")),
        sa.PrimaryKeyConstraint("payment_id", "line", name=op.f("pk_payment_allocation")),
    )
    op.create_table(
        "plan_term",
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("paid_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["payment_plan.id"], name=op.f("fk_plan_term_plan_id_payment_plan")),
        sa.PrimaryKeyConstraint("plan_id", "seq", name=op.f("pk_plan_term")),
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("basis", sa.String(length=8), server_default="source", nullable=False))
        batch_op.add_column(sa.Column("schedule_version", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("schedule_since_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("next_due_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("next_change_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("collect_from_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("is_ageing", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("dpd_regulatory", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("material_since_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("reg_class", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("servicer", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("owner_since_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("product_code", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("profile", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("matures_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("interest_rate", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("penalty_rate", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("day_count", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("due_roll", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("grace_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("tolerance_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("tolerance_rate", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("principal_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("interest_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("fees_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("penalty_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("arrears_source_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("due_source_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("bucket_source", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("charged_off_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("charged_off_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("limitation_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("limitation_basis", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("ifrs9_stage", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("reg_class_source", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("is_secured", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("collateral_ref", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("itemization_on", sa.Date(), nullable=True))
        batch_op.add_column(
            sa.Column("itemization", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.add_column(sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("row_hash", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("contact_point", schema=None) as batch_op:
        batch_op.add_column(sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("external_signal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("product", sa.String(length=40), server_default="multi_lending", nullable=False))
        batch_op.add_column(sa.Column("key_type", sa.String(length=8), server_default="id", nullable=False))
        batch_op.add_column(sa.Column("purpose_code", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("consent_ref", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("vendor_version", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("cost_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("cost_currency", sa.String(length=3), nullable=True))
        batch_op.add_column(sa.Column("expires_on", sa.Date(), nullable=True))
        batch_op.drop_constraint(batch_op.f("uq_external_signal_customer_id_provider_snapshot_on"), type_="unique")
        batch_op.create_unique_constraint(
            "uq_external_signal_answer",
            ["customer_id", "provider", "product", "key_type", "snapshot_on", "received_on"],
        )

    with op.batch_alter_table("feed_batch", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mode", sa.String(length=8), server_default="delta", nullable=False))
        batch_op.add_column(sa.Column("absent", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("corrects_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("dpd_compared", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("dpd_mismatches", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_foreign_key(
            batch_op.f("fk_feed_batch_corrects_id_feed_batch"), "feed_batch", ["corrects_id"], ["id"]
        )

    with op.batch_alter_table("payment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("initiated_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("directed_to", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.add_column(sa.Column("unapplied_amount", sa.BigInteger(), nullable=True))
        batch_op.alter_column("batch_id", existing_type=sa.INTEGER(), nullable=True)

    with op.batch_alter_table("promise", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_stale", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index(
            "ix_promise_stale",
            ["account_id"],
            unique=False,
            sqlite_where=sa.text("is_stale"),
            postgresql_where=sa.text("is_stale"),
        )

    with op.batch_alter_table("quarantined_row", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("resolved_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_quarantined_row_resolved_by_id_feed_batch"), "feed_batch", ["resolved_by_id"], ["id"]
        )

    with op.batch_alter_table("stop_flag", schema=None) as batch_op:
        batch_op.add_column(sa.Column("released_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("release_reason", sa.String(length=300), nullable=True))
    _move_up()


def downgrade() -> None:
    _move_down()
    with op.batch_alter_table("stop_flag", schema=None) as batch_op:
        batch_op.drop_column("release_reason")
        batch_op.drop_column("released_by")

    with op.batch_alter_table("quarantined_row", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_quarantined_row_resolved_by_id_feed_batch"), type_="foreignkey")
        batch_op.drop_column("resolved_by_id")

    with op.batch_alter_table("promise", schema=None) as batch_op:
        batch_op.drop_index("ix_promise_stale", sqlite_where=sa.text("is_stale"), postgresql_where=sa.text("is_stale"))
        batch_op.drop_column("is_stale")

    with op.batch_alter_table("payment", schema=None) as batch_op:
        batch_op.alter_column("batch_id", existing_type=sa.INTEGER(), nullable=False)
        batch_op.drop_column("unapplied_amount")
        batch_op.drop_column("directed_to")
        batch_op.drop_column("posted_at")
        batch_op.drop_column("initiated_at")

    with op.batch_alter_table("feed_batch", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_feed_batch_corrects_id_feed_batch"), type_="foreignkey")
        batch_op.drop_column("dpd_mismatches")
        batch_op.drop_column("dpd_compared")
        batch_op.drop_column("corrects_id")
        batch_op.drop_column("absent")
        batch_op.drop_column("mode")

    with op.batch_alter_table("external_signal", schema=None) as batch_op:
        batch_op.drop_constraint("uq_external_signal_answer", type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_external_signal_customer_id_provider_snapshot_on"),
            ["customer_id", "provider", "snapshot_on"],
        )
        batch_op.drop_column("expires_on")
        batch_op.drop_column("cost_currency")
        batch_op.drop_column("cost_amount")
        batch_op.drop_column("vendor_version")
        batch_op.drop_column("consent_ref")
        batch_op.drop_column("purpose_code")
        batch_op.drop_column("key_type")
        batch_op.drop_column("product")

    with op.batch_alter_table("contact_point", schema=None) as batch_op:
        batch_op.drop_column("withdrawn_at")
        batch_op.drop_column("recorded_at")
        batch_op.drop_column("valid_from")

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_column("row_hash")
        batch_op.drop_column("recorded_at")
        batch_op.drop_column("valid_from")
        batch_op.drop_column("itemization")
        batch_op.drop_column("itemization_on")
        batch_op.drop_column("collateral_ref")
        batch_op.drop_column("is_secured")
        batch_op.drop_column("reg_class_source")
        batch_op.drop_column("ifrs9_stage")
        batch_op.drop_column("limitation_basis")
        batch_op.drop_column("limitation_on")
        batch_op.drop_column("charged_off_amount")
        batch_op.drop_column("charged_off_on")
        batch_op.drop_column("bucket_source")
        batch_op.drop_column("due_source_on")
        batch_op.drop_column("arrears_source_amount")
        batch_op.drop_column("penalty_amount")
        batch_op.drop_column("fees_amount")
        batch_op.drop_column("interest_amount")
        batch_op.drop_column("principal_amount")
        batch_op.drop_column("tolerance_rate")
        batch_op.drop_column("tolerance_amount")
        batch_op.drop_column("grace_days")
        batch_op.drop_column("due_roll")
        batch_op.drop_column("day_count")
        batch_op.drop_column("penalty_rate")
        batch_op.drop_column("interest_rate")
        batch_op.drop_column("matures_on")
        batch_op.drop_column("profile")
        batch_op.drop_column("product_code")
        batch_op.drop_column("owner_since_on")
        batch_op.drop_column("servicer")
        batch_op.drop_column("reg_class")
        batch_op.drop_column("material_since_on")
        batch_op.drop_column("dpd_regulatory")
        batch_op.drop_column("is_ageing")
        batch_op.drop_column("collect_from_on")
        batch_op.drop_column("next_change_on")
        batch_op.drop_column("next_due_on")
        batch_op.drop_column("schedule_since_on")
        batch_op.drop_column("schedule_version")
        batch_op.drop_column("basis")

    op.drop_table("plan_term")
    op.drop_table("payment_allocation")
    with op.batch_alter_table("moratorium", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_moratorium_customer_id"))

    op.drop_table("moratorium")
    with op.batch_alter_table("hardship", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hardship_customer_id"))
        batch_op.drop_index(batch_op.f("ix_hardship_case_id"))

    op.drop_table("hardship")
    with op.batch_alter_table("dispute", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dispute_case_id"))
        batch_op.drop_index(batch_op.f("ix_dispute_account_id"))

    op.drop_table("dispute")
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_complaint_customer_id"))
        batch_op.drop_index(batch_op.f("ix_complaint_case_id"))

    op.drop_table("complaint")
    with op.batch_alter_table("placement", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_placement_open",
            sqlite_where=sa.text("recalled_on IS NULL"),
            postgresql_where=sa.text("recalled_on IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_placement_account_id_placed_on"))

    op.drop_table("placement")
    with op.batch_alter_table("payment_plan", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_payment_plan_open",
            sqlite_where=sa.text("status IN ('proposed', 'active')"),
            postgresql_where=sa.text("status IN ('proposed', 'active')"),
        )
        batch_op.drop_index(batch_op.f("ix_payment_plan_case_id"))
        batch_op.drop_index(batch_op.f("ix_payment_plan_account_id"))

    op.drop_table("payment_plan")
    op.drop_table("ledger_task")
    op.drop_table("instalment")
    with op.batch_alter_table("hold", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hold_case_id"))

    op.drop_table("hold")
    with op.batch_alter_table("delinquency_pause", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delinquency_pause_account_id"))

    op.drop_table("delinquency_pause")
    with op.batch_alter_table("contact_point_history", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contact_point_history_contact_point_id_valid_from"))

    op.drop_table("contact_point_history")
    with op.batch_alter_table("account_standing", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_account_standing_current",
            sqlite_where=sa.text("known_until IS NULL"),
            postgresql_where=sa.text("known_until IS NULL"),
        )

    op.drop_table("account_standing")
    with op.batch_alter_table("account_history", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_history_account_id_valid_from"))

    op.drop_table("account_history")
    with op.batch_alter_table("list_hit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_list_hit_customer_id"))

    op.drop_table("list_hit")
    with op.batch_alter_table("credit_enquiry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credit_enquiry_customer_id_enquired_at"))

    op.drop_table("credit_enquiry")
    op.drop_table("ledger_day")


def _midnight(day: str) -> str:
    """Write the instant at which a day begins, as the database stores instants."""
    if op.get_bind().dialect.name == "postgresql":
        return f"{day}::timestamp AT TIME ZONE 'UTC'"
    return f"{day} || ' 00:00:00.000000'"


def _move_up() -> None:
    """Bring the rows of before: a snapshot is a span that does not age; what was told keeps our word for it."""
    as_of, told = _midnight("as_of_on"), _midnight("business_date")
    op.execute(
        f"UPDATE account SET valid_from = {as_of}, recorded_at = {as_of}, row_hash = 0, "
        "due_source_on = oldest_unpaid_due_on, arrears_source_amount = arrears_amount"
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        for name in ("valid_from", "recorded_at"):
            batch_op.alter_column(name, existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.alter_column("row_hash", existing_type=sa.BigInteger(), nullable=False)
        batch_op.create_check_constraint(
            batch_op.f("ck_account_balance_is_sum_of_parts"),
            "principal_amount IS NULL OR interest_amount IS NULL OR fees_amount IS NULL OR penalty_amount IS NULL "
            "OR balance_amount = principal_amount + interest_amount + fees_amount + penalty_amount",
        )
    # Why was asked is not on record for answers of before.
    op.execute(
        "UPDATE external_signal SET purpose_code = 'not_recorded', consent_ref = 'not_recorded' WHERE hit_status = 'hit'"
    )
    with op.batch_alter_table("external_signal", schema=None) as batch_op:
        batch_op.create_check_constraint(
            batch_op.f("ck_external_signal_hit_has_purpose"),
            "hit_status <> 'hit' OR (purpose_code IS NOT NULL AND consent_ref IS NOT NULL)",
        )
    op.execute(
        "INSERT INTO account_standing (account_id, from_on, known_from, batch_id, dpd, is_ageing, "
        "arrears_amount, balance_amount, limit_amount, status) "
        f"SELECT account_id, business_date, {told}, batch_id, dpd, false, "
        "arrears_amount, balance_amount, limit_amount, status FROM account_snapshot"
    )
    op.drop_table("account_snapshot")


def _move_down() -> None:
    """Take back what a snapshot can hold: the days on which a span began. What was restated is lost."""
    op.create_table(
        "account_snapshot",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("business_date", sa.DATE(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("dpd", sa.INTEGER(), nullable=False),
        sa.Column("bucket", sa.VARCHAR(length=16), nullable=False),
        sa.Column("balance_amount", sa.BIGINT(), nullable=False),
        sa.Column("arrears_amount", sa.BIGINT(), nullable=False),
        sa.Column("limit_amount", sa.BIGINT(), nullable=True),
        sa.Column("status", sa.VARCHAR(length=16), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_snapshot_account_id_account")),
        sa.ForeignKeyConstraint(["batch_id"], ["feed_batch.id"], name=op.f("fk_account_snapshot_batch_id_feed_batch")),
        sa.PrimaryKeyConstraint("account_id", "business_date", name=op.f("pk_account_snapshot")),
    )
    op.execute(
        "INSERT INTO account_snapshot (account_id, business_date, batch_id, dpd, bucket, "
        "balance_amount, arrears_amount, limit_amount, status) "
        "SELECT s.account_id, s.from_on, s.batch_id, s.dpd, a.bucket, s.balance_amount, s.arrears_amount, "
        "s.limit_amount, s.status FROM account_standing s JOIN account a ON a.id = s.account_id "
        "WHERE s.known_until IS NULL"
    )
    # Of several answers about one day the older schema can hold one.
    op.execute(
        "DELETE FROM external_signal WHERE id NOT IN "
        "(SELECT min(id) FROM external_signal GROUP BY customer_id, provider, snapshot_on)"
    )
    with op.batch_alter_table("external_signal", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_external_signal_hit_has_purpose"), type_="check")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_account_balance_is_sum_of_parts"), type_="check")
