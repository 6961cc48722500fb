"""Running the site: the supervisor ``manage.py up``, maintenance commands, health.

In: people and scripts. Out: processes, lines on a terminal, ``/healthz`` and ``/readyz``.
"""
