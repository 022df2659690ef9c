"""A book made inside the database for bench/score_book.py: overdue accounts with half a year of history each.

``:rows`` accounts, one to a customer and case: three standings (one of them ageing), six payments, four contact
attempts, a judged promise for one in three, an earlier episode for one in four, a vendor's answer with 31 fields.
"""

from collections.abc import Sequence

from models.schema import SIGNAL_FIELDS

_DPD = "(1 + i % 88 * 31 % 88)"
_I = "FROM generate_series(1, :rows) i"
_FIELDS = ", ".join(f"'{name}', (i * {n + 3}) % {n + 11}" for n, name in enumerate(SIGNAL_FIELDS))

BOOK: tuple[str, ...] = (
    """INSERT INTO feed_batch (source, entity, mapping, mapping_version, business_date, file_name, sha256, rows,
                               accepted, quarantined, unchanged, imported_at)
       VALUES ('bench', 'payments', 'bench', 1, CAST(:day AS date) - 1, 'bench', 'bench', 0, 0, 0, 0, now())""",
    f"""INSERT INTO customer (source, customer_ref, party_type, language, country, regions, zones, preferences)
        SELECT 'bench', 'C' || i, 'person', 'en-US', 'US', '[]', '[]', '[]' {_I}""",
    f"""INSERT INTO account (source, account_ref, customer_id, creditor, collector_role, product_family, currency,
                             opened_on, limit_amount, balance_amount, arrears_amount, status, valid_from, recorded_at,
                             row_hash, bucket_table, basis, schedule_version, dpd, bucket, as_of_on)
        SELECT 'bench', 'A' || i, i, 'Example Bank', 'first_party', 'card', 'USD', CAST(:day AS date) - 400 - i % 900,
               500000, 300000 + i % 100000, 20000 + i % 50000, 'active', CAST(:day AS date) - 200,
               CAST(:day AS date) - 200, 0, 'intl', 'schedule', 1, {_DPD}, 'M1', CAST(:day AS date) {_I}""",
    f"""INSERT INTO account_standing (account_id, from_on, known_from, dpd, is_ageing, arrears_amount, balance_amount,
                                      limit_amount, status)
        SELECT i, CAST(:day AS date) - d, CAST(:day AS date) - d, CASE WHEN late THEN 1 ELSE 0 END, late,
               CASE WHEN late THEN 20000 + i % 50000 ELSE 0 END, 300000 + (i * d) % 100000, 500000, 'active'
        FROM (SELECT i, s.k, CASE s.k WHEN 0 THEN {_DPD} - 1 WHEN 1 THEN {_DPD} + 39 ELSE 190 END AS d, s.k = 0 AS late
              FROM generate_series(1, :rows) i, generate_series(0, 2) AS s(k)) t""",
    """INSERT INTO payment (source, payment_ref, account_id, batch_id, amount, currency, kind, status, value_on)
       SELECT 'bench', 'P' || i || '-' || k, i, (SELECT max(id) FROM feed_batch), 5000 + (i * k) % 9000, 'USD',
              'payment', 'settled', CAST(:day AS date) - 30 * k - i % 28
       FROM generate_series(1, :rows) i, generate_series(1, 6) k""",
    f"""INSERT INTO contact_point (customer_id, kind, value) SELECT i, 'mobile', '+1' || i {_I}""",
    f"""INSERT INTO "case" (customer_id, opened_on, stage, dpd, arrears_amount, balance_amount, currency)
        SELECT i, CAST(:day AS date) - {_DPD}, 'early', {_DPD}, 20000, 300000, 'USD' {_I}""",
    """INSERT INTO contact_attempt (case_id, customer_id, contact_point_id, account_ids, channel, mode, purpose,
                                    actor_kind, actor_ref, collector_role, status, scheduled_at, dispatched_at,
                                    settled_at, local_date, outcome, disposition)
       SELECT i, i, i, '[]', 'voice', 'manual', 'collection', 'agent', 'a1', 'first_party', 'delivered', at, at, at,
              at::date, CASE (i + k) % 3 WHEN 0 THEN 'rpc' ELSE 'no_answer' END,
              CASE (i + k) % 9 WHEN 0 THEN 'refused' END
       FROM generate_series(1, :rows) i, generate_series(1, 4) k,
            LATERAL (SELECT CAST(:day AS timestamptz) - (k * 5 + i % 5) * interval '1 day' AS at) t""",
    """INSERT INTO promise (account_id, case_id, amount, currency, due_on, method, grace_days, tolerance_percent,
                            status, made_by, created_at, created_on, paid_amount, settled_on, is_stale)
       SELECT i, i, 5000, 'USD', CAST(:day AS date) - 20, 'transfer', 2, 5,
              CASE WHEN i % 2 = 0 THEN 'kept' ELSE 'broken' END, 'agent', CAST(:day AS date) - 30,
              CAST(:day AS date) - 30, 0, CAST(:day AS date) - 17, false
       FROM generate_series(1, :rows, 3) i""",
    """INSERT INTO episode (account_id, entry_on, entry_dpd, entry_arrears_amount, max_dpd, ended_on, end_reason)
       SELECT i, CAST(:day AS date) - 300, 1, 20000, 10 + i % 40, CAST(:day AS date) - 270, 'cured'
       FROM generate_series(1, :rows, 4) i""",
    f"""INSERT INTO episode (account_id, case_id, entry_on, entry_dpd, entry_arrears_amount, max_dpd)
        SELECT i, i, CAST(:day AS date) - {_DPD} + 1, 1, 20000, {_DPD} {_I}""",
    f"""INSERT INTO external_signal (customer_id, provider, product, snapshot_on, received_on, key_type, hit_status,
                                     purpose_code, consent_ref, fields)
        SELECT i, 'bench', 'multi_lending', CAST(:day AS date) - 5, CAST(:day AS date) - 5, 'id',
               CASE WHEN i % 7 = 0 THEN 'no_hit' ELSE 'hit' END, 'post_loan', 'c',
               CASE WHEN i % 7 = 0 THEN '{{}}' ELSE jsonb_build_object({_FIELDS}) END {_I}""",
)


def FEATURE_TABLE(names: Sequence[str]) -> tuple[str, ...]:  # noqa: N802 - stands beside BOOK
    """Return the statements that make ``bench_feature``: ids and one float per feature, one in seven missing."""
    columns = ", ".join(f'"{name}" real' for name in names)
    told = {"dpd": "1 + i % 88", "ml_status": "CASE WHEN i % 7 = 0 THEN -1 ELSE 1 END"}
    values = ", ".join(
        told.get(name) or f"CASE WHEN (i * {n + 5}) % 7 <> 0 THEN round((random() * 10)::numeric, 4)::real END"
        for n, name in enumerate(names)
    )
    return (
        "DROP TABLE IF EXISTS bench_feature",
        f"CREATE TABLE bench_feature (case_id bigint, account_id bigint PRIMARY KEY, {columns})",
        f"INSERT INTO bench_feature SELECT i, i, {values} FROM generate_series(1, :rows) i",
    )
