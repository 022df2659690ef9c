"""The few ways in which the house says no.

Every error carries a stable ``code`` for machines and one sentence for people that says what to do.
"""


class DomainError(Exception):
    """A refusal that the caller can understand and act on."""

    code = "refused"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidInput(DomainError):
    """What was given cannot be right, whoever gives it."""

    code = "invalid_input"


class NotFound(DomainError):
    """The thing named does not exist, or not for this actor."""

    code = "not_found"


class NotAllowed(DomainError):
    """The actor lacks the permission, or the law forbids it."""

    code = "not_allowed"


class Conflict(DomainError):
    """Somebody else changed it first, or its state does not admit this step."""

    code = "conflict"


class NotConfigured(DomainError):
    """A setting, file or service that this needs is missing; the message says how to supply it."""

    code = "not_configured"
