"""Avatar colours: a fixed palette in which white initials stay readable (contrast of 4.5 to 1 or more)."""

from zlib import crc32

AVATAR_COLORS = (
    "#b3261e",
    "#9c3d0a",
    "#7a5200",
    "#4d6500",
    "#1e6b2f",
    "#00695c",
    "#00658a",
    "#1f5fbf",
    "#4a4fc4",
    "#7340b8",
    "#98309b",
    "#a72a61",
)


def avatar_color(user_id: str) -> str:
    """The colour that a user has until another one is chosen; the same id always gets the same."""
    return AVATAR_COLORS[crc32(user_id.encode()) % len(AVATAR_COLORS)]
