"""What can happen to a group: the kinds of its events, as they stand on the log and in ``group_event`` frames."""

from enum import StrEnum


class Kind(StrEnum):
    """One kind of change; ``details`` of the record in brackets, ``user_ids`` are whom it concerns."""

    CREATED = "created"  # {name, description?, picture?}; the members, the owner is who asked
    JOINED = "joined"  # {}; by an invite: whoever joins asked for it themselves {invite: number}
    LEFT = "left"  # {}; whoever asked
    REMOVED = "removed"  # {}
    ROLE = "role"  # {role}; one member; "owner" hands the group over
    RENAMED = "renamed"  # {name}
    DESCRIBED = "described"  # {description}
    PICTURED = "pictured"  # {picture}
    RULES = "rules"  # {only_admins_write?, slow_mode_seconds?}
    FROZEN = "frozen"  # {reason}; by a moderator
    UNFROZEN = "unfrozen"  # {}; by a moderator
    DELETED = "deleted"  # {}


MODERATION = frozenset({Kind.FROZEN, Kind.UNFROZEN})
"""What moderators do, who need not be members."""
