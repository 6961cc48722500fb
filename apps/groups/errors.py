"""What groups may refuse; the doors turn them into responses as they do with those of accounts."""

from collections.abc import Mapping, Sequence

from apps.accounts.errors import AccountError

TEXTS = {
    "forbidden": "Your role in this group does not allow that.",
    "not_a_member": "You are not a member of this group.",
    "not_found": "There is no such group or member.",
    "group_full": "The group has as many members as it may have.",
    "owner_must_hand_over": "You own this group: hand it over first, or delete it.",
    "invite_invalid": "This invite does not exist, has run out or was revoked.",
    "conflict": "That is so already.",
    "frozen": "Moderators have frozen this group.",
}


class ChangeRefused(AccountError):
    """A change of a group that is not carried out; ``code`` says why, in the words of ``TEXTS``, and ``fields`` which
    of the values given are at fault, if it is them.
    """

    def __init__(self, code: str, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(TEXTS[code])
        self.code = code
        self.fields = {name: list(reasons) for name, reasons in (fields or {}).items()}


class ChangePending(Exception):
    """The change stands on the log and is not in force yet: the relay is late."""

    def __init__(self, event_id: str, group_id: str) -> None:
        super().__init__(f"{event_id} of {group_id} is not in force yet")
        self.event_id = event_id
        self.group_id = group_id
