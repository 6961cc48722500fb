"""``manage.py setup_store``, and what `up` makes of the same answers."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.messagestore.base import StoreUnavailable
from apps.messagestore.store import get_message_store
from apps.operations.preflight import CannotStart, set_up_message_store


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("setup_store", stdout=out, **options)
    return out.getvalue()


def answer(monkeypatch: pytest.MonkeyPatch, lines: list[str] | Exception) -> None:
    """Let the store's set-up end so."""

    def set_up(_: Any) -> list[str]:
        if isinstance(lines, Exception):
            raise lines
        return lines

    monkeypatch.setattr(type(get_message_store()), "set_up", set_up)


def test_on_a_database_of_djangos_it_says_what_makes_the_tables() -> None:
    assert "manage.py migrate --database messages" in run()


def test_it_prints_a_line_for_each_thing_and_nothing_where_nothing_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ["index a: made", "index b: is there"])
    assert run() == "index a: made\nindex b: is there\n"
    assert run(verbosity=0) == ""


@pytest.mark.django_db(databases=["default", "messages"])
@pytest.mark.parametrize(
    ("problem", "words"),
    [(StoreUnavailable("refused"), "does not answer (refused)"), (ValueError("drop the index"), "drop the index")],
)
def test_what_is_in_the_way_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, problem: Exception, words: str) -> None:
    answer(monkeypatch, problem)
    with pytest.raises(CommandError) as refused:
        run()
    assert str(refused.value).endswith(words)
    with pytest.raises(CannotStart, match="the Message DB cannot be used"):
        set_up_message_store()
