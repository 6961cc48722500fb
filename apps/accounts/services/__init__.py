"""Writes of accounts: every change is one of these functions, whichever door it comes through.

Each is one transaction; what others must learn of it leaves on commit. They raise the classes of ``errors``.
"""

from apps.accounts.services.authentication import authenticate_user
from apps.accounts.services.devices import (
    ensure_session_device,
    log_in_device,
    log_in_session,
    log_out_session,
    revoke_all_devices,
    revoke_device,
    touch_devices,
)
from apps.accounts.services.erasure import (
    close_account,
    close_erasure,
    delete_user,
    note_account_erasure,
    remove_account,
)
from apps.accounts.services.passwords import change_password
from apps.accounts.services.profiles import update_profile
from apps.accounts.services.registration import NewAccount, register_in_bulk, register_user, register_with_device
from apps.accounts.services.relations import add_contact, block_user, remove_contact, unblock_user
from apps.accounts.services.settings import update_settings
from apps.accounts.services.suspension import suspend_user, unsuspend_user

__all__ = [
    "NewAccount",
    "add_contact",
    "authenticate_user",
    "block_user",
    "change_password",
    "close_account",
    "close_erasure",
    "delete_user",
    "ensure_session_device",
    "log_in_device",
    "log_in_session",
    "log_out_session",
    "note_account_erasure",
    "register_in_bulk",
    "register_user",
    "register_with_device",
    "remove_account",
    "remove_contact",
    "revoke_all_devices",
    "revoke_device",
    "suspend_user",
    "touch_devices",
    "unblock_user",
    "unsuspend_user",
    "update_profile",
    "update_settings",
]
