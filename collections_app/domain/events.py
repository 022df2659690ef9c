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
    COMPLAINT_CLOSED = "complaint:closed"
    COMPLAINT_EXTENDED = "complaint:extended"
    COMPLAINT_OPENED = "complaint:opened"
    DELINQUENCY_PAUSED = "delinquency:paused"
    DELINQUENCY_RESUMED = "delinquency:resumed"
    DISPUTE_ANSWERED = "dispute:answered"
    DISPUTE_OPENED = "dispute:opened"
    HARDSHIP_ENDED = "hardship:ended"
    HARDSHIP_RECORDED = "hardship:recorded"
    HARDSHIP_REVIEWED = "hardship:reviewed"
    HOLD_EXTENDED = "hold:extended"
    HOLD_PLACED = "hold:placed"
    HOLD_RELEASED = "hold:released"
    MORATORIUM_ENDED = "moratorium:ended"
    MORATORIUM_STARTED = "moratorium:started"
    NOTE_ADDED = "note:added"
    OPT_OUT_RECORDED = "opt_out:recorded"
    PLACEMENT_MADE = "placement:made"
    PLAN_APPROVED = "plan:approved"
    PLAN_BROKEN = "plan:broken"
    PLAN_CANCELLED = "plan:cancelled"
    PLAN_COMPLETED = "plan:completed"
    PLAN_PROPOSED = "plan:proposed"
    PLAN_REJECTED = "plan:rejected"
    PLAN_REOPENED = "plan:reopened"
    PROMISE_JUDGED = "promise:judged"
    PROMISE_RECORDED = "promise:recorded"
    PROMISE_SUPERSEDED = "promise:superseded"
    REVIEW_GIVEN = "review:given"
    STOP_RELEASED = "stop:released"
    STOP_SET = "stop:set"


LABELS: dict[EventKind, str] = {
    EventKind.ASSIGNMENT_ENDED: "Assignment ended",
    EventKind.ASSIGNMENT_STARTED: "Assigned",
    EventKind.ATTEMPT_RECORDED: "Contact attempt",
    EventKind.CASE_CLOSED: "Case closed",
    EventKind.CASE_OPENED: "Case opened",
    EventKind.CASE_STAGE_MOVED: "Stage changed",
    EventKind.COMPLAINT_CLOSED: "Complaint closed",
    EventKind.COMPLAINT_EXTENDED: "Complaint: more time taken",
    EventKind.COMPLAINT_OPENED: "Complaint",
    EventKind.DELINQUENCY_PAUSED: "Days past due paused",
    EventKind.DELINQUENCY_RESUMED: "Days past due count again",
    EventKind.DISPUTE_ANSWERED: "Dispute answered",
    EventKind.DISPUTE_OPENED: "Debt disputed",
    EventKind.HARDSHIP_ENDED: "Hardship ended",
    EventKind.HARDSHIP_RECORDED: "Hardship",
    EventKind.HARDSHIP_REVIEWED: "Hardship: measures decided",
    EventKind.HOLD_EXTENDED: "Hold extended",
    EventKind.HOLD_PLACED: "Case put on hold",
    EventKind.HOLD_RELEASED: "Hold released",
    EventKind.MORATORIUM_ENDED: "Moratorium ended",
    EventKind.MORATORIUM_STARTED: "Moratorium",
    EventKind.NOTE_ADDED: "Note",
    EventKind.OPT_OUT_RECORDED: "Asked us to stop",
    EventKind.PLACEMENT_MADE: "Placed for collection",
    EventKind.PLAN_APPROVED: "Plan approved",
    EventKind.PLAN_BROKEN: "Plan broken",
    EventKind.PLAN_CANCELLED: "Plan cancelled",
    EventKind.PLAN_COMPLETED: "Plan completed",
    EventKind.PLAN_PROPOSED: "Plan proposed",
    EventKind.PLAN_REJECTED: "Plan not approved",
    EventKind.PLAN_REOPENED: "Plan open again: a payment was taken back",
    EventKind.PROMISE_JUDGED: "Promise judged",
    EventKind.PROMISE_RECORDED: "Promise to pay",
    EventKind.PROMISE_SUPERSEDED: "Promise replaced",
    EventKind.REVIEW_GIVEN: "Call reviewed",
    EventKind.STOP_RELEASED: "Contact allowed again",
    EventKind.STOP_SET: "Contact stopped",
}
