"""What a form changed, in words for the audit log: of rights what they were and are, of all else the names only."""

from collections.abc import Iterable

from django import forms
from django.db.models import Model

from apps.moderation.models import REASON_MAX_LENGTH


def describe_change(form: forms.BaseForm) -> str:
    """Such as "display name, staff: no to yes, groups: +moderator -operator"."""
    return ", ".join(_describe_field(form, name) for name in form.changed_data)[:REASON_MAX_LENGTH]


def _describe_field(form: forms.BaseForm, name: str) -> str:
    # The form of passwords calls its two fields one.
    field, before, after = form.fields.get(name), form.initial.get(name), form.cleaned_data.get(name)
    label = str(field.label if field and field.label else name).lower()
    if isinstance(field, forms.ModelMultipleChoiceField):
        return f"{label}: {_describe_difference(before or (), after or ())}"
    if isinstance(field, forms.BooleanField):
        return f"{label}: {_yes_or_no(before)} to {_yes_or_no(after)}"
    return label


def _describe_difference(before: Iterable[Model], after: Iterable[Model]) -> str:
    old, new = ({row.pk: str(row) for row in rows} for rows in (before, after))
    added = [f"+{name}" for key, name in new.items() if key not in old]
    return " ".join(added + [f"-{name}" for key, name in old.items() if key not in new])


def _yes_or_no(value: object) -> str:
    return "yes" if value else "no"
