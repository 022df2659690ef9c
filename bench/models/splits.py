"""The fixed samples of bench/models: real books read in place, each with a split that nobody may choose anew.

``uci`` goes the whole road: the lender's file through the real intake into a scratch database, from there by the
queries and the feature builder that serve every day. The panel and the LendingClub file have no day-to-day
feed; their rows become raw frames of the same builder, or plain columns where the book has other ones.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from credit_panel import applicants

from collections_app.db.migrate import upgrade
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import SYSTEM
from collections_app.intake.mapping import load_mapping
from collections_app.queries.feature_frames import raw_frames
from collections_app.queries.label_facts import matured_labels
from collections_app.services import casework, intake, ledger
from models.evaluate import Floats, Ints
from models.features import build_features
from models.labels import BAD_30D
from models.sample import Sample
from models.schema import FRAMES, RawFrames

UCI_DAY = date(2005, 9, 30)
_PANEL_MONTHS_AHEAD = 3
_PANEL_STATES = {"X": -2, "C": -1, **{str(s): s for s in range(6)}}
_FIRST_MONTH = date(2010, 1, 31)


def uci_book(data: Path) -> pl.DataFrame:
    """Return all 30,000 accounts with their features, ``account_ref`` and ``outcome``, by the real intake."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'book.db'}")
        upgrade(database)
        mapping = load_mapping("uci_credit_card")
        with UnitsOfWork(database).begin(SYSTEM) as uow:
            intake.import_file(uow, path=data / "UCI_Credit_Card.csv", mapping=mapping, business_date=UCI_DAY)
            ledger.refresh(uow, business_date=UCI_DAY)
            casework.refresh(uow, business_date=UCI_DAY)
        with database.reading() as session:
            rows = matured_labels(session, label=BAD_30D, source=mapping.source, until=date.max)
            frames = raw_frames(session, account_ids=rows["account_id"].to_list(), as_of=UCI_DAY)
            book = rows.select("account_id", "account_ref", "outcome").join(
                build_features(frames, UCI_DAY), on="account_id"
            )
        database.engine.dispose()
    return book


def uci(data: Path, split: str, book: pl.DataFrame) -> Sample:
    """Cut the book by a published split file (``split_seed0_overdue.csv`` or ``split_seed0_whole.csv``)."""
    folds = pl.read_csv(data / split, schema_overrides={"ID": pl.String}).rename({"ID": "account_ref"})
    rows = book.join(folds, on="account_ref").sort("account_id")
    return Sample(
        features=rows,
        outcome=rows["outcome"].to_numpy().astype(np.int64),
        customer=rows["account_id"].to_numpy(),
        is_test=(rows["fold_seed0"] == "test").to_numpy(),
    )


def panel(data: Path) -> Sample:
    """Account-months 30 to 149 days past due; event: a worse status within three months. Split by applicant.

    Known outcomes only: three further months on file, or worse before, or paid off. Records that end earlier, by
    the cut of the file or otherwise, are neither good nor bad. Months carry no dates: month 0 is called 2015-01.
    """
    folds = pl.read_csv(data / "split_by_applicant_md5.csv").select(account_id="ID", is_test=pl.col("split") == "test")
    people = folds.join(applicants(data), on="account_id")
    records = (
        pl.read_csv(_only_file(data / "credit_record.csv.zip"))
        .select(
            account_id=pl.col("ID").cast(pl.Int64), month=pl.col("MONTHS_BALANCE").cast(pl.Int64),
            state=pl.col("STATUS").replace_strict(_PANEL_STATES, return_dtype=pl.Int64),
        )
        .join(people, on="account_id")
        .sort("account_id", "month")
        .with_columns(
            day=pl.lit(_FIRST_MONTH).dt.offset_by(pl.format("{}mo", pl.col("month") + 60)).dt.month_end(),
            opened_on=pl.lit(_FIRST_MONTH).dt.offset_by(
                pl.format("{}mo", pl.col("month").min().over("account_id") + 60)
            ),
        )
    )  # fmt: skip
    ahead = [pl.col("state").shift(-k).over("account_id") for k in range(1, _PANEL_MONTHS_AHEAD + 1)]
    worse = pl.any_horizontal([(a > pl.col("state")).fill_null(False) for a in ahead])
    paid_off = pl.any_horizontal([(a == _PANEL_STATES["C"]).fill_null(False) for a in ahead])
    labelled = (
        records.with_columns(outcome=pl.when(worse).then(1).when(paid_off | ahead[-1].is_not_null()).then(0))
        .filter(pl.col("state").is_between(1, 4) & pl.col("outcome").is_not_null())
    )  # fmt: skip
    built = pl.concat(list(_panel_features(records, labelled)))
    rows = labelled.join(built, on=["account_id", "day"]).sort("account_id", "month")
    return Sample(
        features=rows,
        outcome=rows["outcome"].to_numpy().astype(np.int64),
        customer=rows["customer"].to_numpy(),
        is_test=rows["is_test"].to_numpy(),
        groups={"state": rows["state"].cast(pl.String).to_numpy().astype(np.str_)},
    )


def _only_file(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def _panel_features(records: pl.DataFrame, labelled: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Build the house's own features from the statuses of each account up to the month observed."""
    known = records.filter(pl.col("account_id").is_in(labelled["account_id"].unique().implode()))
    late = known.with_columns(
        late=pl.col("state") >= 1, spell=(pl.col("state") >= 1).rle_id().over("account_id")
    )  # fmt: skip
    ends = (
        late.with_columns(cured_on=pl.col("day").shift(-1).over("account_id"))
        .filter("late")
        .group_by("account_id", "spell")
        .agg(ended_on=pl.col("cured_on").sort_by("day").last(), max_dpd=30 * pl.col("state").max())
        .filter(pl.col("ended_on").is_not_null())
    )
    for (day,), rows in labelled.group_by("day", maintain_order=True):
        assert isinstance(day, date)
        wanted = rows.select("account_id", customer_id="account_id", opened_on="opened_on",
                             has_payment_feed=pl.lit(False))  # fmt: skip
        past = known.join(wanted.select("account_id"), on="account_id").filter(pl.col("day") <= day)
        frames = RawFrames.of(
            accounts=wanted,
            snapshots=past.filter(pl.col("day") == day).select(
                "account_id", business_date="day", dpd=30 * pl.col("state"), balance_amount=pl.lit(None, pl.Int64),
                arrears_amount=pl.lit(None, pl.Int64), limit_amount=pl.lit(None, pl.Int64),
            ),
            cycles=past.select(
                "account_id", cycle_end_on="day", cycles_past_due="state", statement_amount=pl.lit(None, pl.Int64),
                paid_amount=pl.lit(None, pl.Int64),
            ),
            episodes=_as_asked(ends.join(wanted.select("account_id"), on="account_id")),
        )  # fmt: skip
        yield build_features(frames, day).with_columns(day=pl.lit(day))


def _as_asked(ends: pl.DataFrame) -> pl.DataFrame:
    """Give the episodes the columns that the builder asks for; what this book does not tell is null."""
    wanted = FRAMES["episodes"]
    return ends.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in ends.columns
    ).select(pl.col(name).cast(dtype) for name, dtype in wanted.items())


# -- LendingClub ---------------------------------------------------------------

INSIDE = ("loan_amnt", "term", "installment_of_income", "dti", "emp_length", "owns_home", "annual_inc")
"""What the lender knows of its own: the application. ``dti`` is the applicant's stated debt by stated income."""
PRICE = ("int_rate",)
"""The lender's own price: it has the bureau's file in it already."""
OUTSIDE = (
    "inq_last_6mths", "inq_last_12m", "inq_fi", "acc_open_past_24mths", "open_acc_6m", "open_il_12m", "open_rv_12m",
    "num_tl_op_past_12m", "mths_since_recent_inq", "mo_sin_rcnt_tl", "open_acc",
)  # fmt: skip
"""Multi-lending signals of the bureau: enquiries and accounts opened elsewhere."""


@dataclass(frozen=True)
class Columns:
    """A book of plain columns: float features, outcome (1 = bad), and what the population is, in words."""

    rows: pl.DataFrame
    outcome: Ints
    words: str

    def matrix(self, names: tuple[str, ...]) -> Floats:
        """Return the named columns, NaN where unknown."""
        return self.rows.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def lendingclub(data: Path, population: str) -> Columns:
    """Return loans of December 2015 that reached an end; event: charged off, not fully paid.

    ``late``: only loans from which a late fee was taken at least once: they were overdue. ``all``: every one; its
    features date from the application, so this is an application card's population, not a collections one.
    """
    raw = pl.read_csv(data / "lendingclub_5000_full_columns.csv", infer_schema_length=0)
    final = raw.filter(pl.col("loan_status").is_in(["Fully Paid", "Charged Off"]))
    if population == "late":
        final = final.filter(pl.col("total_rec_late_fee").cast(pl.Float64) > 0)
    years = pl.col("emp_length").str.extract(r"(\d+)").cast(pl.Float64)
    rows = final.select(
        *(pl.col(c).cast(pl.Float64, strict=False) for c in (*OUTSIDE, "loan_amnt", "int_rate", "dti", "annual_inc")),
        term=pl.col("term").str.extract(r"(\d+)").cast(pl.Float64),
        installment_of_income=12 * pl.col("installment").cast(pl.Float64) / _positive("annual_inc"),
        emp_length=pl.when(pl.col("emp_length").str.starts_with("<")).then(0.0).otherwise(years),
        owns_home=pl.col("home_ownership").is_in(["MORTGAGE", "OWN"]).cast(pl.Float64),
    )
    bad = (final["loan_status"] == "Charged Off").to_numpy().astype(np.int64)
    said = "loans once late (a late fee was taken)" if population == "late" else "all loans"
    return Columns(rows, bad, f"LendingClub, December 2015, {said}, charged off against fully paid")


def _positive(column: str) -> pl.Expr:
    value = pl.col(column).cast(pl.Float64)
    return pl.when(value > 0).then(value)


def openintro(data: Path) -> Columns:
    """Return the loans of January to March 2018; event: late, in grace or charged off at the one snapshot there is."""
    raw = pl.read_csv(data / "openintro_loans_full_schema.csv", null_values=["NA", ""], infer_schema_length=10_000)
    rows = raw.select(
        loan_amnt=pl.col("loan_amount"), term="term", dti="debt_to_income", annual_inc="annual_income",
        installment_of_income=12 * pl.col("installment") / _positive("annual_income"), emp_length="emp_length",
        owns_home=pl.col("homeownership").is_in(["MORTGAGE", "OWN"]), int_rate="interest_rate",
        inquiries_last_12m="inquiries_last_12m", accounts_opened_24m="accounts_opened_24m",
        months_since_last_credit_inquiry="months_since_last_credit_inquiry", open_credit_lines="open_credit_lines",
    ).cast(pl.Float64)  # fmt: skip
    bad = (~raw["loan_status"].is_in(["Current", "Fully Paid"])).to_numpy().astype(np.int64)
    return Columns(rows, bad, "LendingClub (openintro), January to March 2018, late or lost at the snapshot")


OPENINTRO_OUTSIDE = (
    "inquiries_last_12m", "accounts_opened_24m", "months_since_last_credit_inquiry", "open_credit_lines",
)  # fmt: skip
