"""Writes of groups. A change of a group is appended to the log and comes into force in the relay; invites and mutes are
rows of the users' database alone.

Every one raises ChangeRefused, or what it names besides; a change raises what `submit_change` says.
"""

from apps.groups.services.descriptions import create_group, delete_group, update_group
from apps.groups.services.invites import create_invite, join_by_invite, revoke_invite
from apps.groups.services.membership import add_members, change_role, leave_group, remove_member
from apps.groups.services.mutes import mute_group, unmute_group
from apps.groups.services.submission import submit_change

__all__ = [
    "add_members",
    "change_role",
    "create_group",
    "create_invite",
    "delete_group",
    "join_by_invite",
    "leave_group",
    "mute_group",
    "remove_member",
    "revoke_invite",
    "submit_change",
    "unmute_group",
    "update_group",
]
