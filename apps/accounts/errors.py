"""What a service may refuse: one class a reason. The doors turn them into responses."""

from collections.abc import Mapping, Sequence


class AccountError(Exception):
    """A refusal. ``code`` is for programs, ``message`` for people."""

    code = "invalid"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInputError(AccountError):
    """Input that cannot be taken; ``fields`` names each bad field with its reasons."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("Some fields cannot be taken.")
        self.fields = {name: list(reasons) for name, reasons in fields.items()}


class InvalidCredentialsError(AccountError):
    """Username and password do not belong together."""

    code = "invalid_credentials"

    def __init__(self) -> None:
        super().__init__("Username and password do not match.")


class AccountSuspendedError(AccountError):
    """The right credential of a suspended user."""

    code = "suspended"

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"This account is suspended: {reason}" if reason else "This account is suspended.")


class TooManyAttemptsError(AccountError):
    """Refused without a look at the credential; try again after ``retry_after_seconds``."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class LimitReachedError(AccountError):
    """The user has as many of something as anybody may have; ``code`` names it (``too_many_devices`` …)."""

    def __init__(self, kind: str, limit: int) -> None:
        super().__init__(f"There are {limit} {kind} already; remove one first.")
        self.code = f"too_many_{kind}"


class NotFoundError(AccountError):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.")
