"""Pools and scripts of Valkey, beneath all other packages; each package keeps its own lua/ and keys.

``pools`` has one client a server. ``sync_keyspace`` and ``async_keyspace`` lead to what belongs to users (inboxes,
registry, admission), on one server or spread over a cluster: every key of a user carries the user's hash tag.
"""
