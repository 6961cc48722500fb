"""Spam: who writes to many who never answer. Knows who wrote to whom and when, never what.

In: the log, by a consumer group of its own. Out: a lower message limit and a lower reputation in the users' database,
and the signal `reputation_lowered` for whoever files reports.
"""
