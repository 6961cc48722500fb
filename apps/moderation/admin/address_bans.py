"""Bans by address range."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from apps.accounts.attempts import client_address
from apps.accounts.errors import InvalidInputError
from apps.moderation.admin.audit import show_in_audit_log
from apps.moderation.admin.decisions import moderator_of
from apps.moderation.models import AddressBan
from apps.moderation.services import ban_address, lift_address_ban
from apps.moderation.services.address_bans import read_network

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin

    _ModelAdmin = DjangoModelAdmin[AddressBan]
    _ModelForm = forms.ModelForm[AddressBan]
else:
    _ModelAdmin, _ModelForm = ModelAdmin, forms.ModelForm


class AddressBanForm(_ModelForm):
    """Range, reason and end. ``own_address`` is the one of who fills it in."""

    own_address = ""

    class Meta:
        model = AddressBan
        fields = ("network", "reason", "until")
        help_texts = {  # noqa: RUF012  (Django reads it once)
            "network": "One address, or a range such as 203.0.113.0/24 or 2001:db8::/48.",
            "reason": "For the audit log; the people concerned only read that their address is banned.",
            "until": "UTC. Empty: until somebody lifts it.",
        }

    def clean_network(self) -> str:
        """The range in its usual form. Raises ValidationError."""
        try:
            return str(read_network(self.cleaned_data["network"], own_address=self.own_address))
        except InvalidInputError as error:
            raise forms.ValidationError(error.fields["network"]) from None

    def clean_until(self) -> Any:
        """A time to come, or none. Raises ValidationError."""
        until = self.cleaned_data["until"]
        if until is not None and until <= timezone.now():
            raise forms.ValidationError("Give a time that is still to come.")
        return until


@admin.register(AddressBan)
class AddressBanAdmin(_ModelAdmin):
    """Whom no door opens for, by address."""

    form = AddressBanForm
    list_display = ("network", "reason", "shown_until", "in_force", "created_at")
    search_fields = ("network", "reason")
    ordering = ("-created_at",)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit log tells of the range, earlier bans included."""
        ban = self.get_object(request, unquote(object_id))
        if ban is None:
            raise Http404
        return show_in_audit_log(ban.network)

    @display(description="Until", ordering="until")
    def shown_until(self, ban: AddressBan) -> Any:
        """When it ends."""
        return ban.until or "somebody lifts it"

    @display(description="In force", boolean=True)
    def in_force(self, ban: AddressBan) -> bool:
        """Whether it has not run out."""
        return ban.until is None or ban.until > timezone.now()

    def get_form(self, request: HttpRequest, obj: AddressBan | None = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, which knows who fills it in."""
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"own_address": client_address(request)})

    def save_model(self, request: HttpRequest, obj: AddressBan, form: Any, change: bool) -> None:
        """Through the service, which tells the gateways."""
        ban_address(moderator_of(request), obj)

    def delete_model(self, request: HttpRequest, obj: AddressBan) -> None:
        """Through the service."""
        lift_address_ban(moderator_of(request), obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AddressBan]) -> None:
        """Each through the service."""
        for ban in queryset:
            lift_address_ban(moderator_of(request), ban)
