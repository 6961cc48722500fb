"""Spam: who writes to many who never answer. Knows who wrote to whom and when, never what.

In: the log, by a consumer group of its own. Out: a lower message limit for a while, and with it a report to the
moderators, who may lift it.
"""
