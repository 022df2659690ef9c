"""The login page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LoginPage:
    """auth/login.html. ``wanted`` is the page to open afterwards, always one of ours."""

    username: str = ""
    error: str = ""
    wanted: str = ""
