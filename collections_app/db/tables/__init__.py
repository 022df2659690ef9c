"""The tables, one file per aggregate. Importing this package registers them all."""

from collections_app.db.tables.accounts import (
    Account,
    AccountCycle,
    AccountSnapshot,
    Episode,
    FeedBatch,
    Payment,
    QuarantinedRow,
)
from collections_app.db.tables.cases import Case, CaseEvent
from collections_app.db.tables.contacts import (
    Campaign,
    ContactAttempt,
    InboundMessage,
    Receipt,
    RobotCall,
)
from collections_app.db.tables.customers import Consent, ContactPoint, Customer, OptOut, StopFlag
from collections_app.db.tables.decisions import Decision, GateDecision, StrategyVersion
from collections_app.db.tables.people import User
from collections_app.db.tables.predictions import (
    ExternalSignal,
    ModelVersion,
    Score,
    ScoreRun,
    TrainingLabel,
)
from collections_app.db.tables.promises import Promise
from collections_app.db.tables.recordings import Finding, Recording, Review, Transcript
from collections_app.db.tables.runs import JobRun
from collections_app.db.tables.work import Agent, Assignment, QueueEntry

__all__ = [
    "Account",
    "AccountCycle",
    "AccountSnapshot",
    "Agent",
    "Assignment",
    "Campaign",
    "Case",
    "CaseEvent",
    "Consent",
    "ContactAttempt",
    "ContactPoint",
    "Customer",
    "Decision",
    "Episode",
    "ExternalSignal",
    "FeedBatch",
    "Finding",
    "GateDecision",
    "InboundMessage",
    "JobRun",
    "ModelVersion",
    "OptOut",
    "Payment",
    "Promise",
    "QuarantinedRow",
    "QueueEntry",
    "Receipt",
    "Recording",
    "Review",
    "RobotCall",
    "Score",
    "ScoreRun",
    "StopFlag",
    "StrategyVersion",
    "TrainingLabel",
    "Transcript",
    "User",
]
