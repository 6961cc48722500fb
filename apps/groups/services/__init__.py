"""Writes of groups. A change of a group is appended to the log and comes into force in the relay; invites and mutes are
rows of the users' database alone.

Every one raises ChangeRefused, or what it names besides.
"""

from apps.groups.services.submission import submit_change

__all__ = ["submit_change"]
