"""Changes that users make to their profiles."""

from apps.accounts.errors import InvalidInputError
from apps.accounts.models import User
from apps.accounts.palette import AVATAR_COLORS
from apps.accounts.validation import check_display_name


def update_profile(user: User, *, display_name: str | None = None, avatar_color: str | None = None) -> User:
    """Change what is given. Raises InvalidInputError."""
    if display_name is not None:
        user.display_name = check_display_name(display_name)
    if avatar_color is not None:
        if avatar_color not in AVATAR_COLORS:
            raise InvalidInputError({"avatar_color": [f"Choose one of {', '.join(AVATAR_COLORS)}."]})
        user.avatar_color = avatar_color
    user.save(update_fields=["display_name", "avatar_color"])
    return user
