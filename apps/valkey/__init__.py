"""Pools and scripts of Valkey, beneath all other packages; each package keeps its own lua/ and keys."""
