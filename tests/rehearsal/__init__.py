"""The whole production profile on this machine: every server, two of each process, nginx with TLS before them.

For tests (`running_production_site`) and for people: ``make rehearsal``, which is ``python -m tests.rehearsal``.
"""
