"""Serializer fields that take exactly their JSON type: DRF's own turn numbers into text and text into booleans."""

from collections.abc import Collection
from typing import Any

from rest_framework import serializers


class TextField(serializers.CharField):
    """A JSON string, as it is: no number becomes one, and no space is cut off. NUL and lone surrogates are refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"trim_whitespace": False} | options))

    def to_internal_value(self, data: Any) -> str:
        """The string. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """JSON true or false and nothing else."""

    def to_internal_value(self, data: Any) -> bool:
        """The flag. Raises ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class NumberField(serializers.IntegerField):
    """A JSON integer, in bounds."""

    def to_internal_value(self, data: Any) -> int:
        """The number. Raises ValidationError."""
        if type(data) is not int:
            self.fail("invalid")
        return data


class NumberChoiceField(serializers.Field[int, int, int, Any]):
    """One of a few JSON integers."""

    default_error_messages = {"invalid_choice": "Choose one of {choices}."}  # noqa: RUF012  (DRF merges it by class)

    def __init__(self, choices: Collection[int], **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    def to_internal_value(self, data: Any) -> int:
        """The number. Raises ValidationError."""
        if type(data) is not int or data not in self.choices:
            self.fail("invalid_choice", choices=", ".join(map(str, self.choices)))
        return data

    def to_representation(self, value: int) -> int:
        """The number itself."""
        return value
