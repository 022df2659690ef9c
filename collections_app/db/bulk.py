"""Frames into tables in bulk: COPY on PostgreSQL, executemany on SQLite.

Every write that touches a portfolio goes through a temporary staging table and set-based SQL, or straight
into its table; rows are never carried through the ORM one by one (measured: 5-20 times slower).
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from psycopg import errors, pq
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from collections_app.db.types import UtcDateTime

_POLARS_TO_SQL: dict[Any, sa.types.TypeEngine[Any]] = {
    pl.String: sa.Text(),
    pl.Boolean: sa.Boolean(),
    pl.Date: sa.Date(),
    pl.Datetime: UtcDateTime(),
    pl.Float64: sa.Float(),
}
# Stands for NULL on the road to COPY; no text of a feed is one control character.
_NULL = "\x02"
# Rows of one piece of CSV: large enough to be quick, small enough to be held a few times over.
_SLICE = 20_000
_PARSED_AT_ONCE = 250_000
_INSTANT = "%Y-%m-%d %H:%M:%S%.f%#z"
_STORED = "%Y-%m-%d %H:%M:%S%.f"
_AS_TEXT = (pl.Boolean, pl.Datetime("us", "UTC"))


def _sql_type(dtype: pl.DataType) -> sa.types.TypeEngine[Any]:
    if dtype.is_integer():
        return sa.BigInteger()
    return _POLARS_TO_SQL[dtype.base_type()]


def stage(session: Session, name: str, frame: pl.DataFrame, *, index: tuple[str, ...] = ()) -> sa.Table:
    """Load a frame into a fresh temporary table and return it, ready for set-based SQL.

    Columns keep their names; types are text, whole number, float, boolean, date or (aware) instant. JSON travels
    as text and is cast by the statement that reads it. ``db.staged.within`` uses the range of the first indexed
    column.
    """
    metadata = sa.MetaData()
    table = sa.Table(
        name,
        metadata,
        *(sa.Column(column, _sql_type(dtype)) for column, dtype in frame.schema.items()),
        prefixes=["TEMPORARY"],
    )
    session.execute(sa.text(f"DROP TABLE IF EXISTS {'pg_temp.' if _is_postgresql(session) else 'temp.'}{name}"))
    session.execute(CreateTable(table))
    insert(session, table, frame)
    if index and frame.height and frame.schema[index[0]].is_integer():
        table.info["range"] = frame[index[0]].min(), frame[index[0]].max()
    if index:
        session.execute(sa.text(f"CREATE INDEX ix_{name} ON {name} ({', '.join(index)})"))
    if _is_postgresql(session):
        # Only what is joined on matters to the planner; counting every column of a wide frame takes longer.
        session.execute(sa.text(f"ANALYZE {name}" + (f" ({', '.join(index)})" if index else "")))
    return table


def insert(session: Session, table: sa.Table, frame: pl.DataFrame) -> None:
    """Append a frame to a table by the fastest way the database has."""
    if frame.is_empty():
        return
    if _is_postgresql(session):
        with driver(session).cursor() as cursor, cursor.copy(copy_statement(table, frame)) as copy:
            for part in csv_slices(frame):
                copy.write(part)
        return
    instants = [pl.col(c).dt.strftime("%Y-%m-%d %H:%M:%S.%6f") for c, t in frame.schema.items() if t == pl.Datetime]
    plain = frame.with_columns(pl.col(pl.Date).dt.to_string("iso"), *instants)
    # What every row says alike is written into the statement: a value bound once a row costs as much as one read.
    alike = {} if plain.height == 1 else _said_alike(plain)
    names = ", ".join(f'"{c}"' for c in plain.columns)
    marks = ", ".join(alike.get(c, "?") for c in plain.columns)
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608 - our tables, quoted values
    cursor = driver(session).cursor()
    for some in plain.drop(alike).iter_slices(_SLICE):
        # Column by column: making all row tuples of a frame at once takes more than twice as long.
        cursor.executemany(statement, zip(*(column.to_list() for column in some.iter_columns()), strict=True))
    cursor.close()


def _said_alike(frame: pl.DataFrame) -> dict[str, str]:
    """Return the columns that hold one value, but for the first column, with that value as SQL."""
    _, *others = frame.iter_columns()
    return {c.name: _literal(c[0]) for c in others if says_one(c)}


def says_one(column: pl.Series) -> bool:
    """Tell whether all rows of a column say the same (floats never do)."""
    # Most columns are told apart by their first rows.
    return not column.dtype.is_float() and column.head(100).n_unique() == 1 and column.n_unique() == 1


def _literal(value: str | int | None) -> str:
    """Write a value as SQLite reads it."""
    if value is None:
        return "NULL"
    if not isinstance(value, str):
        return str(int(value))
    if "\0" in value:
        return f"CAST(x'{value.encode().hex()}' AS TEXT)"  # a zero byte would end the statement
    return "'" + value.replace("'", "''") + "'"


def driver(session: Session) -> Any:
    """Return the driver's own connection of a session's transaction: COPY is not in DBAPI."""
    connection: Any = session.connection().connection.dbapi_connection
    return connection


def copy_statement(table: sa.Table, frame: pl.DataFrame) -> str:
    """Return the COPY statement that takes ``csv_slices`` of this frame."""
    names = ", ".join(f'"{c}"' for c in frame.columns)
    return f"COPY \"{table.name}\" ({names}) FROM STDIN (FORMAT csv, NULL '{_NULL}')"


def csv_slices(frame: pl.DataFrame) -> Iterator[bytes]:
    """Yield a frame as the CSV that COPY reads, a slice at a time."""
    # A day or an instant that all rows share is put into words once, not once a row.
    moments = [c.name for c in frame.iter_columns() if c.dtype.is_temporal() and says_one(c)]
    said = {c: None if frame[c][0] is None else str(frame[c][0]) for c in moments}
    plain = frame.with_columns(pl.lit(text, pl.String).alias(c) for c, text in said.items())
    for part in plain.iter_slices(_SLICE):
        buffer = io.BytesIO()
        part.write_csv(buffer, include_header=False, null_value=_NULL, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
        yield buffer.getvalue()


def read(session: Session, statement: sa.Executable, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Run a select and return a frame; ``schema`` names the dtypes so that an empty result keeps them.

    On PostgreSQL the rows come by COPY and are parsed as columns: no Python object per value, a third of the
    memory. Types are those that ``stage`` knows; instants come as UTC.
    """
    if _is_postgresql(session) and isinstance(statement, sa.Select | sa.CompoundSelect):
        return _read_copy(session, statement, schema)
    if isinstance(statement, sa.Select | sa.CompoundSelect) and not any(t.is_float() for t in schema.values()):
        return _read_columns(session, statement, schema)
    result = session.execute(statement)
    names = list(result.keys())
    # Column by column: building a frame from rows costs several times as much.
    columns = list(zip(*result.fetchall(), strict=True)) or [()] * len(names)
    return pl.DataFrame(
        [pl.Series(name, values, dtype=schema[name], strict=False) for name, values in zip(names, columns, strict=True)]
    )


def _read_columns(session: Session, statement: Any, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Read from SQLite one array per column instead of one tuple per row; what it stores as text is parsed here."""
    session.flush()
    rows = statement.subquery()
    arrays = sa.select(*(sa.func.json_group_array(sa.type_coerce(column, sa.Text())) for column in rows.c))
    compiled = arrays.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
    found = driver(session).execute(str(compiled)).fetchone()
    names = [column.name for column in rows.c]
    told = {n: pl.String if schema[n] == pl.Date or schema[n] in _AS_TEXT[1:] else schema[n] for n in names}
    frame = pl.DataFrame(
        [pl.Series(n, json.loads(array), dtype=told[n], strict=False) for n, array in zip(names, found, strict=True)]
    )
    return frame.with_columns(
        pl.col(n).str.to_date() if schema[n] == pl.Date else pl.col(n).str.to_datetime(_STORED, time_zone="UTC")
        for n in names
        if told[n] != schema[n]
    )


def _read_copy(session: Session, statement: Any, schema: Mapping[str, Any]) -> pl.DataFrame:
    session.flush()
    compiled = str(statement.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True}))
    names = [column.name for column in statement.selected_columns]
    connection = driver(session)
    if connection.info.transaction_status == pq.TransactionStatus.IDLE:
        connection.execute("SELECT 1")  # below the driver nobody begins a transaction for us
    frames: list[pl.DataFrame] = []
    rows: list[bytes] = []
    # The dialect doubles percent signs for a driver that is passed by: its loop costs four times libpq's own.
    for row in _copy_out(connection.pgconn, f"COPY ({compiled % ()}) TO STDOUT (FORMAT csv)"):
        rows.append(row)
        if len(rows) == _PARSED_AT_ONCE:
            frames.append(_parse(rows, names, schema))
            rows = []
    frames.append(_parse(rows, names, schema))
    return pl.concat(frames)


def _copy_out(connection: Any, statement: str) -> Iterator[bytes]:
    """Yield what a COPY sends, a row at a time, from libpq itself."""
    result = connection.exec_(statement.encode())
    if result.status != pq.ExecStatus.COPY_OUT:
        raise errors.lookup(result.error_field(pq.DiagnosticField.SQLSTATE).decode())(result.get_error_message())
    while True:
        size, row = connection.get_copy_data(0)
        if size < 0:
            break
        yield bytes(row)
    while (result := connection.get_result()) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise errors.lookup(result.error_field(pq.DiagnosticField.SQLSTATE).decode())(result.get_error_message())


def _parse(rows: list[bytes], names: list[str], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Type rows of CSV as PostgreSQL writes them: t and f, instants with an offset, whole numbers as 3 or 3.00."""
    told = {n: pl.String if schema[n] in _AS_TEXT else schema[n] for n in names}
    if not rows:
        return pl.DataFrame(schema={n: schema[n] for n in names})
    frame = pl.read_csv(b"".join(rows), has_header=False, schema=told)
    return frame.with_columns(
        pl.col(n) == "t" if schema[n] == pl.Boolean else pl.col(n).str.to_datetime(_INSTANT, time_zone="UTC")
        for n in names
        if schema[n] in _AS_TEXT
    )


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def upsert(
    session: Session,
    target: sa.Table,
    source: sa.Table,
    *,
    keys: tuple[str, ...],
    columns: Mapping[str, sa.ColumnElement[Any]],
    update: tuple[str, ...] = (),
    newer: str | None = None,
    origin: sa.FromClause | None = None,
) -> int:
    """Insert rows from a staged table, or update them where they differ; return how many were touched.

    ``columns`` maps target columns to expressions over ``origin`` (``source`` unless it is joined).
    Rows equal in ``update`` are left alone: no dead versions, no false "updated". With ``newer``, a
    row whose stored value of that column is later than the staged one is left alone too.
    """
    dialect = postgresql if _is_postgresql(session) else sqlite
    select = sa.select(*(e.label(n) for n, e in columns.items())).select_from(source if origin is None else origin)
    # SQLite needs a WHERE before ON CONFLICT, else it reads ON as a join condition.
    statement = dialect.insert(target).from_select(list(columns), select.where(sa.true()))
    if update:
        new = statement.excluded
        changed = sa.or_(*(target.c[c].is_distinct_from(new[c]) for c in update))
        if newer:
            changed = sa.and_(changed, target.c[newer] <= new[newer])
        guarded = statement.on_conflict_do_update(
            index_elements=list(keys),
            set_={c: new[c] for c in (*update, *((newer,) if newer else ()))},
            where=changed,
        )
    else:
        guarded = statement.on_conflict_do_nothing(index_elements=list(keys))
    return affected(session, guarded)


def affected(session: Session, statement: Any) -> int:
    """Execute a writing statement and return how many rows it touched."""
    # Without the option SQLAlchemy reports -1 for INSERT ... SELECT on PostgreSQL.
    result = session.execute(statement, execution_options={"preserve_rowcount": True})
    return int(result.rowcount)  # type: ignore[attr-defined]


def as_json(session: Session, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Read a staged text column as JSON: a cast on PostgreSQL, the text itself on SQLite."""
    if _is_postgresql(session):
        return sa.cast(column, postgresql.JSONB)
    return sa.type_coerce(column, sa.Text())


def json_object(session: Session, **fields: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Build a JSON object of columns in SQL, by the name that the database has for it."""
    build = sa.func.jsonb_build_object if _is_postgresql(session) else sa.func.json_object
    # The keys as text of the statement: PostgreSQL cannot tell the type of a bound key.
    return build(*(part for name, value in fields.items() for part in (sa.text(f"'{name}'"), value)))


def frame_of_ids(name: str, ids: Sequence[int]) -> pl.DataFrame:
    """Return a one-column frame of ids, ready to be staged (long IN lists are slow and limited)."""
    return pl.DataFrame({name: ids}, schema={name: pl.Int64})


def next_ids(session: Session, table: sa.Table, count: int, *, alone: bool = False) -> pl.Series:
    """Return ``count`` fresh ids of a table, ascending, for rows that go in by COPY and are referred to at once.

    ``alone``: nobody else can write to the table; its sequence is then moved in one step.
    """
    if not _is_postgresql(session):
        last = session.scalar(sa.select(sa.func.max(table.c.id))) or 0  # writers queue: nobody else inserts now
        return pl.int_range(last + 1, last + 1 + count, eager=True).alias("id")
    sequence = sa.literal(session.scalar(sa.select(sa.func.pg_get_serial_sequence(str(table.name), "id"))))
    if alone:
        last = int(session.scalars(sa.select(sa.func.setval(sequence, sa.func.nextval(sequence) + count - 1))).one())
        return pl.int_range(last - count + 1, last + 1, eager=True).alias("id")
    drawn = sa.select(sa.func.nextval(sequence).label("id")).select_from(sa.func.generate_series(1, count))
    return read(session, drawn, {"id": pl.Int64})["id"]
