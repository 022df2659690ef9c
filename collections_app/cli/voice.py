"""``collections voice``: transcribe, measure, and work off what waits."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.domain.errors import InvalidInput
from collections_app.services import quality, transcription
from collections_app.town.calls import CHANNEL_MAP, planted_calls, render
from voice import audio as sound
from voice.evaluate import Detection, detection, read_test_set, total_word_errors
from voice.qa.checklist import RuleKind
from voice.qa.checks import CallContext, check
from voice.recognition.vosk import DEMO_MODEL, VoskRecogniser

if TYPE_CHECKING:
    from collections_app.wiring import App

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_LIMIT = click.option("--limit", default=1_000, show_default=True, help="At most so many recordings.")


@click.group("voice")
def group() -> None:
    """Transcribe calls, measure recognition, check recordings."""


@group.command("transcribe")
@click.argument("file", type=_FILE)
@click.option("--speakers", default="", help="Names of the channels in order, comma-separated.")
@click.option("--json", "as_json", is_flag=True, help="Print every word with its times.")
@click.pass_obj
def transcribe(app: "App", file: Path, speakers: str, *, as_json: bool) -> None:
    """Print what is said in FILE (WAV), channel by channel in the order of time."""
    try:
        decoded = sound.read(file.read_bytes())
    except sound.AudioError as error:
        raise InvalidInput(f"{file}: {error}") from None
    names = [name.strip() for name in speakers.split(",") if name.strip()] or [
        f"channel {i + 1}" for i in range(decoded.channels)
    ]
    if len(names) != decoded.channels:
        raise InvalidInput(f"{file.name} has {decoded.channels} channel(s), --speakers names {len(names)}")
    recogniser = app.recogniser
    transcript = recogniser.transcribe(decoded, names)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "engine": recogniser.engine,
                    "model": recogniser.model_version,
                    "duration_ms": decoded.duration_ms,
                    "warnings": list(decoded.warnings),
                    "utterances": [utterance.to_json() for utterance in transcript.utterances],
                }
            )
        )
        return
    for warning in decoded.warnings:
        click.echo(f"warning: {warning}", err=True)
    for utterance in transcript.utterances:
        click.echo(f"{utterance.start_ms / 1000:7.2f}  {utterance.speaker}: {utterance.text}")


@group.command("wer")
@click.argument("directory", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print machine-readable figures.")
@click.pass_obj
def wer(app: "App", directory: Path, *, as_json: bool) -> None:
    """Measure word errors on DIRECTORY (with transcripts.tsv): our pipeline beside plain Vosk."""
    spoken = list(read_test_set(directory))
    recogniser = VoskRecogniser(Path(app.settings.vosk_model or DEMO_MODEL))
    started = time.perf_counter()
    ours = total_word_errors(spoken, lambda a: recogniser.transcribe(a, ["speaker"] * a.channels).text)
    seconds = time.perf_counter() - started
    plain = total_word_errors(spoken, recogniser.plain_text)
    length = sum(s.audio.duration_ms for s in spoken) / 1000
    figures = {
        "utterances": len(spoken), "words": ours.words, "ours": round(ours.rate, 4),
        "plain_vosk": round(plain.rate, 4),
        "real_time_factor": round(seconds / length, 3) if length else 0.0, "model": recogniser.model_version,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(figures))
        return
    click.echo(f"{len(spoken)} utterances, {ours.words} words, model {recogniser.model_version}")
    click.echo(f"word error rate: ours {ours.rate:.1%}, plain Vosk {plain.rate:.1%}")
    click.echo(f"real-time factor {figures['real_time_factor']}")


@group.command("flags")
@click.argument("directory", type=_FOLDER)
@click.pass_obj
def flags(app: "App", directory: Path) -> None:
    """Measure forbidden words on DIRECTORY, whose transcripts.tsv says forbidden or ordinary."""
    recogniser = app.recogniser
    rules = {r.id for r in app.checklist.rules if r.kind is RuleKind.FORBIDDEN and not (r.before or r.after)}
    truth, found = [], []
    for spoken in read_test_set(directory):
        transcript = recogniser.transcribe(spoken.audio, ["agent"])
        hits = {s.rule_id for s in check(transcript, CallContext(), app.checklist)} & rules
        truth.append({"flag"} if spoken.subset == "forbidden" else set())
        found.append({"flag"} if hits else set())
    _echo_detection("utterances with forbidden words", detection(truth, found))


@group.command("planted")
@click.option("--count", default=36, show_default=True, help="Calls; every second one has a breach.")
@click.option("--seed", default=1, show_default=True, help="Which calls.")
@click.pass_obj
def planted(app: "App", count: int, seed: int) -> None:
    """Speak, hear and check calls with known breaches; print precision, recall and the time it took."""
    calls = planted_calls(seed, count)
    started = time.perf_counter()
    recordings = [render(call, seed=seed) for call in calls]
    spoken_at = time.perf_counter()
    recogniser = app.recogniser
    truth, found, seconds = [], [], 0.0
    for call, data in zip(calls, recordings, strict=True):
        decoded = sound.read(data)
        seconds += decoded.duration_ms / 1000
        transcript = recogniser.transcribe(decoded, CHANNEL_MAP)
        truth.append({breach.rule_id for breach in call.breaches})
        found.append({s.rule_id for s in check(transcript, CallContext(call.collector_role), app.checklist)})
    heard_at = time.perf_counter()
    click.echo(f"{count} calls of {seconds / count:.0f} s; to speak {(spoken_at - started) / count:.2f} s, "
               f"to hear and check {(heard_at - spoken_at) / count:.2f} s each")  # fmt: skip
    _echo_detection("findings", detection(truth, found))
    whole = detection([{"flag"} if t else set() for t in truth], [{"flag"} if f else set() for f in found])
    _echo_detection("flagged calls", whole)


def _echo_detection(what: str, measured: Detection) -> None:
    click.echo(f"{what}: precision {measured.precision:.1%}, recall {measured.recall:.1%} "
               f"(found {measured.found}, in vain {measured.false}, missed {measured.missed})")  # fmt: skip


@group.command("transcribe-pending")
@_LIMIT
@click.pass_obj
def transcribe_pending(app: "App", limit: int) -> None:
    """Transcribe recordings that wait for it."""
    counts = transcription.transcribe_pending(app.units, recogniser=app.recogniser, blobs=app.blobs, limit=limit)
    click.echo(json.dumps(counts))


@group.command("check-pending")
@_LIMIT
@click.pass_obj
def check_pending(app: "App", limit: int) -> None:
    """Check transcribed recordings against the checklist."""
    click.echo(json.dumps(quality.check_pending(app.units, checklist=app.checklist, limit=limit)))
