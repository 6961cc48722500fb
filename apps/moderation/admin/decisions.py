"""A page between a button and its deed: it says what will happen, and asks why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.accounts.errors import AccountError
from apps.accounts.models import User
from apps.groups.errors import ChangePending
from apps.messagelog.base import LogUnavailable
from apps.moderation.models import REASON_MAX_LENGTH

PENDING = (
    "The change stands on the event log and is not in force yet: the relay is late. It will come, or be refused if "
    "somebody else's change stands before it. Look again in a moment."
)
UNKNOWN_OUTCOME = "The event log does not answer. The change may come yet: look at the group before you try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is asked and then done. ``apply`` gets the moderator, the id of the row and the reason."""

    title: str
    explanation: str
    reason_label: str
    button: str
    done: str
    apply: Callable[[User, str, str], None]
    dangerous: bool = False
    needs_reason: bool = True


class ReasonForm(forms.Form):
    """Why, in words."""

    reason = forms.CharField(max_length=REASON_MAX_LENGTH, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}))

    def __init__(self, *args: Any, label: str, required: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = label
        self.fields["reason"].required = required


def decide(model_admin: "ModelAdmin[Any]", request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
    """Ask for the reason; with one, do it and go back to the row. A refusal is shown with the form, and so is that a
    change of a group may or may not come; one that is only late is told beside the row.
    """
    row = model_admin.get_object(request, object_id)
    if row is None:
        raise Http404
    form = ReasonForm(
        request.POST if request.method == "POST" else None, label=decision.reason_label, required=decision.needs_reason
    )
    back = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[object_id])
    if form.is_valid():
        try:
            decision.apply(moderator_of(request), object_id, form.cleaned_data["reason"].strip())
        except AccountError as error:
            form.add_error(None, error.message)
        except LogUnavailable:
            form.add_error(None, UNKNOWN_OUTCOME)
        except ChangePending:
            messages.warning(request, PENDING)
            return HttpResponseRedirect(back)
        else:
            messages.success(request, decision.done)
            return HttpResponseRedirect(back)
    context = model_admin.admin_site.each_context(request) | {
        "title": decision.title,
        "decision": decision,
        "form": form,
        "row": row,
        "back": back,
        "opts": row._meta,
    }
    return TemplateResponse(request, "moderation/decision.html", context)


def moderator_of(request: HttpRequest) -> User:
    """Who asks. Raises PermissionDenied for nobody."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
