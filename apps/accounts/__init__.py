"""ACCOUNTS: who people are: users, their devices and credentials, settings, contacts and blocks.

In: calls of the REST and web doors. Out: rows, facts in Valkey, and control events for every gateway.
"""
