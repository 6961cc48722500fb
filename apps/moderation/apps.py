"""The Django app of moderation."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ModerationConfig(AppConfig):
    """Reports, bans by address, warnings and the audit log."""

    name = "apps.moderation"
    label = "moderation"
    verbose_name = "Moderation"

    def ready(self) -> None:
        """Make the roles after each migration: permissions exist only then."""
        from apps.moderation.roles import make_roles

        post_migrate.connect(make_roles, sender=self, dispatch_uid="moderation.roles")
