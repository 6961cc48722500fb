"""Groups: who is a member from which message to which, who may do what, and how that changes.

In: changes that somebody asks for, appended to the log. Out: rows of the users' database, written by the relay in the
log's order, so that a change stands among the group's messages at one place for all.
"""
