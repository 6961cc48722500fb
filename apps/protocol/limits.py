"""The numbers of the contract. Sizes in bytes, times in ms unless the name says otherwise."""

MAX_FRAME_BYTES = 16 * 1024
MAX_ENVELOPE_FRAME_BYTES = 64 * 1024
MAX_CONTENT_CHARACTERS = 1_000
MAX_CLIENT_ID_CHARACTERS = 64
MAX_CLIENT_ID_INTEGER = 2**53 - 1
MAX_CONFIRMED_AT_ONCE = 500
MAX_TIMESTAMP_MS = 2**53 - 1

HEARTBEAT_INTERVAL_SECONDS = 30
HEARTBEAT_TIMEOUT_SECONDS = 75
ANSWER_TIMEOUT_SECONDS = 20
BROKEN_FRAMES_PER_MINUTE = 20
DEDUP_SECONDS = 7 * 86_400

HISTORY_KEPT_MS = 90 * 86_400_000
"""How long a message stays for whoever keeps a history, and what is polled for everybody."""
