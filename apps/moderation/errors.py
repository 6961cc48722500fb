"""What moderation may refuse; the doors turn them into responses as they do with those of accounts."""

from apps.accounts.errors import AccountError


class NotAllowedError(AccountError):
    """This moderator may not do this to this user."""

    code = "forbidden"


class AlreadyDecidedError(AccountError):
    """The report is closed; somebody else may have been quicker."""

    code = "conflict"

    def __init__(self) -> None:
        super().__init__("This report is closed already.")
