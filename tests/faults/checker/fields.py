"""Fields of a JSON object, each asked for by its type; what does not fit is refused by its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class Unreadable(ValueError):
    """Something in a file is not what it should be; the text says where, what was expected and what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A JSON object that stands at `where`: file, line, and the way into it. Every reader raises Unreadable."""

    where: str
    values: Mapping[str, Any]
    inner: str = ""

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self.refuse(name, "a string", value)
        return value

    def text_or_none(self, name: str) -> str | None:
        return None if self._get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(name, "an integer", value)
        return value

    def integer_or_text(self, name: str) -> int | str:
        return self.text(name) if isinstance(self._get(name), str) else self.integer(name)

    def number(self, name: str, *, missing: float | None = None) -> float:
        """A number; where there is a value for it, null stands for `missing`."""
        value = self._get(name)
        if value is None and missing is not None:
            return missing
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.refuse(name, "a number" + " or null" * (missing is not None), value)
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false", value)
        return value

    def texts(self, name: str) -> list[str]:
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.refuse(name, "a list of strings", value)
        return value

    def child(self, name: str) -> "Fields":
        """The object in a field."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self.refuse(name, "an object", value)
        return Fields(where=self.where, values=value, inner=f"{self.inner}{name}.")

    def children(self, name: str) -> Iterator["Fields"]:
        """The objects of a list."""
        value = self._get(name)
        if not isinstance(value, list):
            raise self.refuse(name, "a list", value)
        for number, one in enumerate(value):
            if not isinstance(one, dict):
                raise self.refuse(f"{name}[{number}]", "an object", one)
            yield Fields(where=self.where, values=one, inner=f"{self.inner}{name}[{number}].")

    def refuse(self, name: str, expected: str, found: object) -> Unreadable:
        """The error that says what should have been there."""
        return Unreadable(f"{self.where}: {self.inner}{name}: expected {expected}, got {found!r:.80}")

    def _get(self, name: str) -> object:
        if name not in self.values:
            raise Unreadable(f"{self.where}: {self.inner}{name}: expected it to be there, got {', '.join(self.values)}")
        return self.values[name]
