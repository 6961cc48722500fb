"""MODERATION: what keeps people safe from each other: reports, suspensions, bans by address, and who did what when.

In: reports from users, decisions of moderators in the admin. Out: rows, an audit entry with each decision, and control
events for every gateway. Message content is shown only as a reporter handed it in.
"""
