"""Stage 5a, STORE: the Message DB. The record on the log is the message's row.

In: rows, confirmations, reads, each batch repeatable. Out: how each message stands, and the bodies that drains read.
"""
