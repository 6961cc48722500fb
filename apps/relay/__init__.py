"""Stage 4, RELAY: the log's reader. A sync process of its own.

In: batches of records, in order within a partition. Out, each step repeatable: rows in the store, entries in inboxes,
pushes; then the committed positions.
"""
