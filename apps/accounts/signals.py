"""The guards at the back doors: what Django's own views and commands do to users reaches their devices too.

A password that changes by the admin or by `changepassword` logs all devices out (``services.change_password`` does not
come by here; it keeps the asking device). A session that is logged out by whatever view loses its device.
"""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_save
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.services.devices import remove_session_device, revoke_all_devices


def connect() -> None:
    """Start listening."""
    post_save.connect(_log_out_after_password_change, sender=User, dispatch_uid="accounts.password_changed")
    user_logged_out.connect(_remove_session_device, dispatch_uid="accounts.session_logged_out")


def _log_out_after_password_change(instance: User, created: bool, raw: bool, **_: Any) -> None:
    # Django keeps the raw password here between set_password() and the end of save(), but not when it only rehashes.
    if not created and not raw and getattr(instance, "_password", None) is not None:
        revoke_all_devices(instance.pk, reason="password_changed")


def _remove_session_device(request: HttpRequest | None, **_: Any) -> None:
    if request is not None and hasattr(request, "session"):
        remove_session_device(request.session)
