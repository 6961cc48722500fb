"""The Django app of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, devices, settings, contacts and blocks."""

    name = "apps.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect the guard that logs devices out when a password changes by another door than ours."""
        from apps.accounts import signals

        signals.connect()
