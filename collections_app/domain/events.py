"""The kinds of events that a case remembers. ``noun:past``, kept in alphabetical order."""

from enum import StrEnum


class EventKind(StrEnum):
    """Append-only history of a case; a correction is a new event, never an edit."""

    ASSIGNMENT_ENDED = "assignment:ended"
    ASSIGNMENT_STARTED = "assignment:started"
    ATTEMPT_RECORDED = "attempt:recorded"
    CASE_CLOSED = "case:closed"
    CASE_OPENED = "case:opened"
    CASE_STAGE_MOVED = "case:stage_moved"
    NOTE_ADDED = "note:added"
    OPT_OUT_RECORDED = "opt_out:recorded"
    PROMISE_JUDGED = "promise:judged"
    PROMISE_RECORDED = "promise:recorded"
    PROMISE_SUPERSEDED = "promise:superseded"
    REVIEW_GIVEN = "review:given"
    STOP_SET = "stop:set"


LABELS: dict[EventKind, str] = {
    EventKind.ASSIGNMENT_ENDED: "Assignment ended",
    EventKind.ASSIGNMENT_STARTED: "Assigned",
    EventKind.ATTEMPT_RECORDED: "Contact attempt",
    EventKind.CASE_CLOSED: "Case closed",
    EventKind.CASE_OPENED: "Case opened",
    EventKind.CASE_STAGE_MOVED: "Stage changed",
    EventKind.NOTE_ADDED: "Note",
    EventKind.OPT_OUT_RECORDED: "Asked us to stop",
    EventKind.PROMISE_JUDGED: "Promise judged",
    EventKind.PROMISE_RECORDED: "Promise to pay",
    EventKind.PROMISE_SUPERSEDED: "Promise replaced",
    EventKind.REVIEW_GIVEN: "Call reviewed",
    EventKind.STOP_SET: "Contact stopped",
}
