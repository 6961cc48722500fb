"""Account facts: what the chat servers know is what the database says."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts import facts as facts_module
from apps.accounts.facts import (
    FACTS_KEY,
    NO_ACCOUNT,
    AccountFacts,
    cache_facts,
    decode_facts,
    encode_facts,
    load_facts,
    store_facts,
)
from apps.accounts.models import Block, User
from apps.valkey.pools import sync_client

NOBODY = "usr-000000000000"


def stored(url: str, user_id: str) -> AccountFacts:
    """Read the facts that stand in Valkey."""
    return decode_facts(sync_client(url).get(FACTS_KEY.format(user_id=user_id)))


@given(st.booleans(), st.booleans(), st.frozensets(st.text(alphabet="0123456789abcdef-usr", max_size=16)))
def test_facts_survive_their_encoding(exists: bool, suspended: bool, blocks: frozenset[str]) -> None:
    facts = AccountFacts(exists=exists, suspended=suspended, blocks=blocks)
    assert decode_facts(encode_facts(facts)) == facts


def test_facts_of_many_users_take_three_queries(ada: User, bob: User, django_assert_num_queries) -> None:
    Block.objects.create(owner=ada, person=bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with django_assert_num_queries(3):
        facts = load_facts([ada.pk, bob.pk, NOBODY])
    assert facts == {
        ada.pk: AccountFacts(exists=True, suspended=False, blocks=frozenset({bob.pk})),
        bob.pk: AccountFacts(exists=True, suspended=True, blocks=frozenset()),
        NOBODY: NO_ACCOUNT,
    }


def test_storing_writes_valkey_and_tells_the_gateways(ada: User, cache_valkey: str, control_events: Callable) -> None:
    store_facts([ada.pk, NOBODY])
    client = sync_client(cache_valkey)
    assert stored(cache_valkey, ada.pk).exists
    assert 3500 < client.ttl(FACTS_KEY.format(user_id=ada.pk)) <= 3600
    assert 50 < client.ttl(FACTS_KEY.format(user_id=NOBODY)) <= 60
    assert [event[:2] for event in control_events()] == [("facts_changed", ada.pk), ("facts_changed", NOBODY)]


def test_the_key_of_the_facts_has_the_user_as_hash_tag() -> None:
    assert FACTS_KEY.format(user_id=NOBODY) == "facts:{usr-000000000000}"


def test_a_writer_that_was_overtaken_corrects_itself(
    ada: User, bob: User, cache_valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = facts_module._set_facts
    overtaken = False

    def write_late(facts, **options) -> None:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            Block.objects.create(owner=ada, person=bob)
            store_facts([ada.pk])
        write(facts, **options)

    monkeypatch.setattr(facts_module, "_set_facts", write_late)
    store_facts([ada.pk])
    assert stored(cache_valkey, ada.pk).blocks == {bob.pk}


def test_a_reader_never_overwrites_what_a_service_wrote(ada: User, bob: User, cache_valkey: str) -> None:
    Block.objects.create(owner=ada, person=bob)
    store_facts([ada.pk])
    Block.objects.all().delete()  # Stands for a reader whose look at the database is older than the block.
    cache_facts([ada.pk])
    assert stored(cache_valkey, ada.pk).blocks == {bob.pk}


def test_a_reader_keeps_what_it_loaded_where_nothing_stood(ada: User, cache_valkey: str) -> None:
    assert cache_facts([ada.pk])[ada.pk] == stored(cache_valkey, ada.pk)
