"""``collections model build | ready | install-generic``: from outcomes to a candidate, one command per model."""

import json
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collections_app.cli.model_watch import person
from collections_app.domain.errors import InvalidInput
from collections_app.domain.permissions import SYSTEM, Actor

if TYPE_CHECKING:
    from collections_app.services.training import TrainedModel
    from collections_app.wiring import App

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_SHOWN = 12


@click.command("build")
@click.argument("name")
@click.option("--algorithm", help="boosted, scorecard ...; the recipe's first unless said otherwise")
@click.option("--source", help="learn from this source system's labels only")
@click.option("--data", type=click.Path(path_type=Path), help="learn from this file, imported aside")
@click.option("--mapping", "mapping_name", help="with --data: a shipped mapping's name, or a YAML file")
@click.option("--business-date", type=_DAY, help="with --data: the day that the file speaks for")
@click.option("--split", type=click.Path(path_type=Path), help="CSV of reference and train or test")
@click.option("--out-of-time", type=click.IntRange(1, 3660), help="keep the last so many days for the test")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--stop-after", type=click.Choice(["sample", "explore"]), help="look only; nothing is fitted")
@click.option("--dry-run", is_flag=True, help="go through every stage and register nothing")
@click.option("--by", "username", help="the person who builds it by hand; another one approves it then")
@click.option("--password", help="with --by; asked for when not given")
@click.option("--json", "as_json", is_flag=True, help="print the model card as JSON")
@click.pass_obj
def build(
    app: "App", name: str, algorithm: str | None, source: str | None, data: Path | None, mapping_name: str | None,
    business_date: datetime | None, split: Path | None, out_of_time: int | None, seed: int, threads: int,
    stop_after: str | None, dry_run: bool, username: str | None, password: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Build a model: sample, explore, modify, model, assess. It works only after a person approved it."""
    from collections_app.intake.mapping import load_mapping
    from collections_app.services import training

    actor = _builder(app, username, password)
    book: Any = nullcontext(None)
    if data is None and (mapping_name is not None or business_date is not None):
        raise InvalidInput("--mapping and --business-date speak of a file: give it with --data")
    if data is not None:
        if mapping_name is None or business_date is None or source is not None:
            raise InvalidInput("--data needs --mapping and --business-date, and takes the place of --source")
        mapping = load_mapping(mapping_name)
        source = mapping.source
        book = training.scratch_book(app.units, path=data, mapping=mapping, business_date=business_date.date())
    with book as scratch:
        drawn: dict[str, Any] = {
            "name": name, "source": source, "split": split, "out_of_time": out_of_time, "data": scratch, "seed": seed,
        }  # fmt: skip
        if stop_after is not None:
            told = training.sample_for(app.units, actor=actor, explore=stop_after == "explore", **drawn)
            _look(told, as_json=as_json)
            return
        model = training.build(
            app.units, actor=actor, models=app.models, algorithm=algorithm, threads=threads, keep=not dry_run,
            tell=None if as_json else tell_stage, **drawn,
        )  # fmt: skip
    _result(model, as_json=as_json)


def _builder(app: "App", username: str | None, password: str | None) -> Actor:
    """Return who builds: the person named, who proves it, else the system."""
    if username is None:
        if password is not None:
            raise InvalidInput("--password proves who builds: name the person with --by")
        return SYSTEM
    if password is None:  # asked on stderr: stdout may be JSON
        password = click.prompt("Password", hide_input=True, err=True, type=str)
    return person(app, username, password)


def _look(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told))
        return
    for stage, figures in told.items():
        tell_stage(stage, figures)


def _result(model: "TrainedModel", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"name": model.name, "version": model.version, "stage": model.stage, "card": model.card}))
    elif model.version:
        click.echo(f"registered  {model.name} {model.version} ({model.stage})")
        click.echo(f"next        collections model approve {model.name} {model.version} --by <username>")
    else:
        click.echo("dry run     nothing was registered")


def tell_stage(stage: str, figures: dict[str, Any]) -> None:
    """Print what a stage of the pipeline found."""
    {"sample": _sample, "explore": _explore, "modify": _modify, "model": _model, "assess": _assess}[stage](figures)


def _sample(f: dict[str, Any]) -> None:
    click.echo(f"SAMPLE      {f['rows']:,} rows of {f['people']:,} people, {f['events']:,} with {f['event']}; "
               f"observed {f['observed_from']} to {f['observed_to']}")  # fmt: skip
    click.echo(f"            learn {f['train_rows']:,} ({f['train_events']:,}), test {f['test_rows']:,} "
               f"({f['test_events']:,}); {f['split']}")  # fmt: skip
    for why, rows in f.get("left_out", {}).items():
        click.echo(f"            left out {rows:,}: {why}")


def _explore(f: dict[str, Any]) -> None:
    click.echo(f"EXPLORE     {len(f.get('features', ()))} features on {f.get('rows', 0):,} training rows")
    for row in f.get("features", ())[:_SHOWN]:
        click.echo(f"            {row['name']:28} IV {row['iv']:.3f}   missing {row['missing']:5.1%}   {row['reason']}")


def _modify(f: dict[str, Any]) -> None:
    held = sum(share == 1 for share in f["missing_share"].values())
    rest = {k: v for k, v in f.items() if k not in ("missing_share", "features") and not isinstance(v, list | dict)}
    kept = f["features"]
    if isinstance(kept, list):  # a scorecard chooses
        click.echo(f"MODIFY      {len(kept)} features kept: {', '.join(kept)}")
        click.echo(f"            {held} of {len(f['missing_share'])} features are always missing")
    else:
        click.echo(f"MODIFY      {kept} features, {held} of them always missing")
    click.echo(f"            {', '.join(f'{k} {v}' for k, v in rest.items())}")


def _model(f: dict[str, Any]) -> None:
    leading = list(f["importance"].items())[:5]
    tried = {k: v for k, v in f.items() if k not in ("importance", "algorithm", "tried")}
    click.echo(f"MODEL       {f['algorithm']}: {', '.join(f'{k} {v}' for k, v in tried.items())}")
    click.echo(f"            leading {', '.join(f'{n} {share:.0%}' for n, share in leading)}")


def _assess(f: dict[str, Any]) -> None:
    test = f["test"]
    click.echo(f"ASSESS      {test.get('rows', 0):,} test rows, {test.get('events', 0):,} with the event")
    for name in ("auc", "ks"):
        if name in test and f"{name}_interval" in test:
            interval = test[f"{name}_interval"]
            click.echo(f"            {name.upper():4}{test[name]:.4f}  [{interval['low']:.3f}, {interval['high']:.3f}]")
    if "brier" in test:
        click.echo(f"            Brier {test['brier']:.4f}, calibration slope {test['calibration_slope']:.2f}, "
                   f"ECE {test['ece']:.3f}")  # fmt: skip
    if "amount" in test:
        a = test["amount"]
        click.echo(f"            share: MAE {a['mae']:.3f}, RMSE {a['rmse']:.3f}, Spearman {a['spearman']:.2f}, "
                   f"sum {a['sum_ratio']:.2f} [{a['sum_ratio_low']:.2f}, {a['sum_ratio_high']:.2f}]")  # fmt: skip
    for sentence in f["alarms"]:
        click.echo(f"ALARM       {sentence}")
    for sentence in f["warnings"]:
        click.echo(f"note        {sentence}")


@click.command("ready")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def ready(app: "App", as_json: bool) -> None:
    """Tell which models may have outcomes enough to be built, and which one works now."""
    from collections_app.services.model_readiness import readiness

    with app.database.reading() as session:
        rows = readiness(session, until=app.units.clock().date())
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in rows]))
        return
    click.echo(f"{'model':18} {'works':8} {'with':>9} {'without':>9} {'needed':>7}  advice")
    for r in rows:
        held = " ".join(f"{'-' if n is None else format(n, ',')!s:>9}" for n in (r.events, r.others))
        click.echo(f"{r.name:18} {r.works:8} {held} {r.needed:>7,}  {r.advice}")


@click.command("install-generic")
@click.pass_obj
def install_generic(app: "App") -> None:
    """Register the expert's card, which needs no outcomes of our own, for a person to approve."""
    from collections_app.services import training

    model = training.install_generic(app.units, actor=SYSTEM, models=app.models)
    click.echo(f"{model.name} {model.version} ({model.stage}): judged by experts, not calibrated on any book")
    click.echo(f"next  collections model approve {model.name} {model.version} --by <username>")
