"""The exported SQL gives the very points of the card, on the database under test."""

import polars as pl
import pytest
import sqlalchemy as sa

from collections_app.db.session import Database
from models import expert, family
from models.catalogue import recipe_of
from models.points import of_parts
from models.registry import Bundle
from models.scorecard import FALLBACK_PART, PART
from models.sql_export import scorecard_sql
from tests.lending_books import lending_book
from tests.models.test_scorecard import sample

CARD = recipe_of("c-card")


@pytest.fixture(scope="module")
def trained() -> Bundle:
    return family.train(CARD, sample(2_500), algorithm="scorecard", provenance={})


def _asked(database: Database, bundle: Bundle, features: pl.DataFrame) -> pl.DataFrame:
    """Put the features into a table of the database and run the exported statement there."""
    columns = [sa.Column("account_id", sa.BigInteger), *(sa.Column(n, sa.Double) for n in features.columns[1:])]
    table = sa.Table("card_features", sa.MetaData(), *columns, prefixes=["TEMPORARY"])
    with database.engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), features.to_dicts())
        rows = connection.execute(sa.text(scorecard_sql(bundle, "card_features"))).mappings().all()
        table.drop(connection)
    return pl.DataFrame([dict(r) for r in rows], infer_schema_length=None).sort("account_id")


@pytest.mark.parametrize("which", ["trained", "expert"])
def test_sql_and_predict_agree_to_the_thousandth(database: Database, which: str, trained: Bundle) -> None:
    bundle = trained if which == "trained" else expert.load()
    features, _ = lending_book(400, seed=11)
    # A fifth of the rows has a silent vendor; some values lie on an edge, some beyond all edges.
    main = of_parts(bundle.parts[PART])
    edge = next(f.bins.edges[0] for f in main.features if f.bins.name == "pay_ratio_0") if which == "trained" else 0.1
    features = features.with_columns(
        ml_status=pl.when(pl.col("account_id") % 5 == 0).then(-3.0).otherwise(pl.col("ml_status")),
        pay_ratio_0=pl.when(pl.col("account_id") % 7 == 0).then(edge).otherwise(pl.col("pay_ratio_0")),
        dpd=pl.when(pl.col("account_id") % 11 == 0).then(9_999.0).otherwise(pl.col("dpd")),
    )
    said = family.predict(bundle, features)
    told = _asked(database, bundle, features.select("account_id", *bundle.card.features))
    assert told["score"].to_list() == said.score.tolist()
    assert told["points_milli"].to_list() == (said.points * 1000).round().astype(int).tolist()
    lost = {code: told[f"lost_{code}"].to_list() for code in said.codes}
    for row, codes in enumerate(said.reasons):
        weighed = sorted((c for c in said.codes if lost[c][row] > 0), key=lambda c: -lost[c][row])
        assert codes == weighed[:4]
    if which == "trained":
        assert FALLBACK_PART in bundle.parts
        assert said.is_fallback.sum() == 80


@pytest.mark.parametrize("name", ["x; DROP TABLE score", 'a"b', ""])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a table"):
        scorecard_sql(expert.load(), name)


def test_a_model_without_points_is_refused() -> None:
    card = expert.load()
    with pytest.raises(ValueError, match="no points to export"):
        scorecard_sql(Bundle(card.card, {"model.ubj": b""}), "features")
