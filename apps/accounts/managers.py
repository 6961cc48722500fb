"""How user rows are made and found by name."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import BaseUserManager
from django.db.models.functions import Lower

from apps.accounts.names import username_key, validate_username

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from apps.accounts.models import User


class UserManager(BaseUserManager["User"]):
    """Users by username, without regard to case."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Insert a user; without a password nobody can log in as this one by password.

        Raises ValidationError for a malformed username and IntegrityError for a taken one.
        """
        validate_username(username)
        fields.setdefault("display_name", username)
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Insert a user who may do everything in the admin."""
        return self.create_user(username, password, **(fields | {"is_staff": True, "is_superuser": True}))

    def filter_named(self, username: str) -> "QuerySet[User]":
        """The user of this name in any case, or nobody; uses the index on the name's lower case."""
        return self.alias(key=Lower("username")).filter(key=username_key(username))

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user of this name in any case. Raises User.DoesNotExist."""
        return self.filter_named(username or "").get()
