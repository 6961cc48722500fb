"""Ids of moderation's own."""

import secrets


def new_report_id() -> str:
    """``rep-`` and 12 random hex digits."""
    return f"rep-{secrets.token_hex(6)}"
