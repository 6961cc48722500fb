"""What the database itself refuses, and what a new row gets by itself."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from apps.accounts.models import Block, Contact, Device, User
from apps.accounts.palette import AVATAR_COLORS, avatar_color
from apps.protocol.ids import is_device_id, is_user_id


def test_a_new_user_has_an_id_a_color_and_a_display_name(ada: User) -> None:
    assert is_user_id(ada.pk)
    assert ada.avatar_color == avatar_color(ada.pk)
    assert ada.display_name == "Ada"


def test_two_usernames_that_differ_in_case_only_cannot_stand_together(ada: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.create_user("ADA", "x")


def test_a_malformed_username_cannot_be_made_by_the_manager(db: None) -> None:
    with pytest.raises(ValidationError):
        User.objects.create_user("a b")


def test_a_user_is_found_by_name_in_any_case(ada: User) -> None:
    assert User.objects.get_by_natural_key("aDA") == ada
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key("ad")


@pytest.mark.parametrize("model", [Contact, Block])
def test_nobody_can_note_oneself(ada: User, model: type[Contact | Block]) -> None:
    with pytest.raises(IntegrityError):
        model.objects.create(owner=ada, person=ada)


def test_a_session_device_cannot_stand_without_its_session(ada: User) -> None:
    with pytest.raises(IntegrityError):
        Device.objects.create(user=ada, kind=Device.Kind.SESSION, credential_hash="x")


def test_a_device_id_has_the_form_of_the_contract(ada: User) -> None:
    assert is_device_id(Device.objects.create(user=ada, kind=Device.Kind.TOKEN, credential_hash="x").pk)


@pytest.mark.parametrize("color", AVATAR_COLORS)
def test_white_initials_are_readable_on_every_avatar_color(color: str) -> None:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert 1.05 / (luminance + 0.05) >= 4.5
