"""Rows to look at: services write them."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin

    _ModelAdmin = DjangoModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    """Nobody adds, changes or deletes here, superusers included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False
