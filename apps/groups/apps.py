"""Django's view of this package."""

from django.apps import AppConfig


class GroupsConfig(AppConfig):
    """Groups."""

    name = "apps.groups"
    label = "groups"
