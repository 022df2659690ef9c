"""Roles, permissions and who may what. Deny by default."""

from dataclasses import dataclass
from enum import StrEnum

from collections_app.domain.errors import NotAllowed


class Role(StrEnum):
    """What a person (or the system itself) is here to do."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    SCHEDULER = "scheduler"
    STRATEGIST = "strategist"
    ADMIN = "admin"
    SYSTEM = "system"


class Permission(StrEnum):
    """noun:verb, kept in alphabetical order."""

    CAMPAIGN_READ = "campaign:read"
    CAMPAIGN_RUN = "campaign:run"
    CASE_READ = "case:read"
    CASE_READ_ALL = "case:read_all"
    CASE_WORK = "case:work"
    FEED_IMPORT = "feed:import"
    JOB_READ = "job:read"
    JOB_RUN = "job:run"
    MODEL_APPROVE = "model:approve"
    MODEL_TRAIN = "model:train"
    PLAN_DECIDE = "plan:decide"
    PLAN_PROPOSE = "plan:propose"
    PROTECTION_DECIDE = "protection:decide"
    PROTECTION_RECORD = "protection:record"
    RECORDING_LISTEN = "recording:listen"
    RECORDING_REVIEW = "recording:review"
    REPORT_READ = "report:read"
    STRATEGY_PUBLISH = "strategy:publish"
    USER_MANAGE = "user:manage"


_P = Permission
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.AGENT: frozenset({_P.CASE_READ, _P.CASE_WORK, _P.PLAN_PROPOSE, _P.PROTECTION_RECORD}),
    Role.SUPERVISOR: frozenset(
        {_P.CASE_READ, _P.CASE_READ_ALL, _P.RECORDING_LISTEN, _P.RECORDING_REVIEW, _P.JOB_READ, _P.PLAN_DECIDE,
         _P.PLAN_PROPOSE, _P.PROTECTION_DECIDE, _P.PROTECTION_RECORD, _P.REPORT_READ}
    ),
    Role.SCHEDULER: frozenset(
        {_P.CAMPAIGN_READ, _P.CAMPAIGN_RUN, _P.CASE_READ, _P.CASE_READ_ALL, _P.JOB_READ, _P.JOB_RUN,
         _P.REPORT_READ}
    ),
    Role.STRATEGIST: frozenset(
        {_P.CASE_READ, _P.CASE_READ_ALL, _P.CAMPAIGN_READ, _P.STRATEGY_PUBLISH, _P.MODEL_TRAIN,
         _P.MODEL_APPROVE, _P.JOB_READ, _P.REPORT_READ}
    ),
    Role.ADMIN: frozenset({_P.USER_MANAGE, _P.JOB_READ, _P.JOB_RUN}),
    Role.SYSTEM: frozenset(Permission)
    - {_P.MODEL_APPROVE, _P.STRATEGY_PUBLISH, _P.RECORDING_REVIEW, _P.PLAN_DECIDE, _P.PROTECTION_DECIDE},
}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """Who acts: a person or the system. ``agent_id`` is set when the person works cases."""

    id: int | None
    name: str
    role: Role
    agent_id: int | None = None

    def may(self, permission: Permission) -> bool:
        """Tell whether this actor's role grants the permission."""
        return permission in GRANTS[self.role]

    def require(self, permission: Permission) -> None:
        """Raise NotAllowed unless the role grants the permission."""
        if not self.may(permission):
            raise NotAllowed(f"the role {self.role} may not do this (needs {permission})")


SYSTEM = Actor(id=None, name="system", role=Role.SYSTEM)
