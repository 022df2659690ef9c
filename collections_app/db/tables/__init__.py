"""The tables, one file per aggregate. Importing this package registers them all."""

from collections_app.db.tables.accounts import Account, AccountCycle, AccountHistory
from collections_app.db.tables.cases import Case, CaseEvent
from collections_app.db.tables.contacts import Campaign, ContactAttempt, InboundMessage, Receipt, RobotCall
from collections_app.db.tables.customer_events import CustomerEvent
from collections_app.db.tables.customers import Consent, ContactPoint, ContactPointHistory, Customer, OptOut, StopFlag
from collections_app.db.tables.decisions import Decision, GateDecision, StrategyVersion
from collections_app.db.tables.delinquency import AccountStanding, Episode, LedgerDay, LedgerTask
from collections_app.db.tables.feeds import FeedBatch, QuarantinedRow
from collections_app.db.tables.people import User
from collections_app.db.tables.placements import Placement
from collections_app.db.tables.plans import PaymentPlan, PlanTerm
from collections_app.db.tables.predictions import (
    ModelAlert,
    ModelFigure,
    ModelMove,
    ModelVersion,
    Score,
    ScoreRun,
    TrainingLabel,
)
from collections_app.db.tables.promises import Promise
from collections_app.db.tables.protections import Complaint, Dispute, Hardship, Hold, Moratorium
from collections_app.db.tables.recordings import Finding, Recording, Review, Transcript
from collections_app.db.tables.runs import JobRun
from collections_app.db.tables.schedules import DelinquencyPause, Instalment, Payment, PaymentAllocation
from collections_app.db.tables.signals import CreditEnquiry, ExternalSignal, ListHit
from collections_app.db.tables.work import Agent, Assignment, QueueEntry

__all__ = [
    "Account",
    "AccountCycle",
    "AccountHistory",
    "AccountStanding",
    "Agent",
    "Assignment",
    "Campaign",
    "Case",
    "CaseEvent",
    "Complaint",
    "Consent",
    "ContactAttempt",
    "ContactPoint",
    "ContactPointHistory",
    "CreditEnquiry",
    "Customer",
    "CustomerEvent",
    "Decision",
    "DelinquencyPause",
    "Dispute",
    "Episode",
    "ExternalSignal",
    "FeedBatch",
    "Finding",
    "GateDecision",
    "Hardship",
    "Hold",
    "InboundMessage",
    "Instalment",
    "JobRun",
    "LedgerDay",
    "LedgerTask",
    "ListHit",
    "ModelAlert",
    "ModelFigure",
    "ModelMove",
    "ModelVersion",
    "Moratorium",
    "OptOut",
    "Payment",
    "PaymentAllocation",
    "PaymentPlan",
    "Placement",
    "PlanTerm",
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
