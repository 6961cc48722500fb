"""Stage 6, DELIVERY: push and acknowledge.

In: how messages and receipts stand in the store. Out: inbox first, then pushes to gateways; drains, sweeps and
retention. Celery's tasks are doors of a few lines; each is only a hint, for the truth is a row or a key.
"""
