"""Stage 2, INGEST: from a client's frame to the log.

In: frames of this process's connections. Out: records appended in batches, and ✓ or an error to each sender.
Async; while one append is under way the next batch gathers.
"""
