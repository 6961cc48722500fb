"""Fault injection on the real processes, and the checker that judges what the clients saw."""
