"""What a URL leads to: seeds, nodes, and which node has which key."""

import pytest
from redis.crc import key_slot

from apps.valkey.pools import ValkeyError
from apps.valkey.slots import SlotMap, Topology, list_seeds, node_url

ASKED = "redis://user:secret@h1:7000/0"
HALVES = [
    [0, 8191, ["h1", 7000, "id1", []], ["replica", 7009, "id4", []]],
    [8192, 16383, ["h2", 7001, "id2", []]],
]


def test_a_url_with_commas_names_several_servers_that_share_the_password() -> None:
    assert list_seeds("rediss://user:secret@h1:1,h2:2/0?x=1") == [
        "rediss://user:secret@h1:1/0?x=1",
        "rediss://user:secret@h2:2/0?x=1",
    ]
    assert list_seeds("unix:///run/valkey.sock") == ["unix:///run/valkey.sock"]


def test_a_nodes_url_keeps_password_and_options() -> None:
    assert node_url(ASKED, "10.0.0.9", 7005) == "redis://user:secret@10.0.0.9:7005/0"
    assert node_url("redis://h1:7000", "::1", 7005) == "redis://[::1]:7005"
    assert node_url(ASKED, "", 7005) == "redis://user:secret@h1:7005/0"


def test_a_key_belongs_to_the_node_of_its_hash_tags_slot() -> None:
    slots = SlotMap(ASKED, HALVES)
    assert slots.nodes == ["redis://user:secret@h1:7000/0", "redis://user:secret@h2:7001/0"]
    for user in ("usr-1", "usr-2", "usr-3", "usr-4"):
        owners = {slots.owner(f"{name}:{{{user}}}:dev") for name in ("inbox", "receipts", "dedup")}
        assert owners == {slots.nodes[key_slot(user.encode()) // 8192]}


@pytest.mark.parametrize("host", [None, "", "?"])
def test_a_node_that_does_not_know_its_name_is_where_it_was_asked(host: str | None) -> None:
    assert SlotMap(ASKED, [[0, 16383, [host, 7000, "id", []]]]).nodes == ["redis://user:secret@h1:7000/0"]


def test_a_slot_without_a_node_is_an_error_that_callers_know() -> None:
    with pytest.raises(ValkeyError, match="not served"):
        SlotMap(ASKED, []).owner("any")


def test_spread_names_one_key_on_each_node() -> None:
    slots = SlotMap(ASKED, HALVES)
    keys = slots.spread("gateway:gw-1")
    assert [slots.owner(key) for key in keys].count(slots.nodes[0]) == 1
    assert len({slots.owner(key) for key in keys}) == len(keys) == 2
    assert slots.spread("gateway:gw-1") == keys, "the same names while the slots stay"


def test_a_node_too_small_to_be_hit_does_not_keep_the_others_waiting() -> None:
    tiny = [[0, 0, ["h1", 1, "a", []]], [1, 16383, ["h2", 2, "b", []]]]
    assert len(SlotMap(ASKED, tiny).spread("gateway:gw-1")) == 1


def test_whoever_failed_is_asked_last_and_a_new_owner_first() -> None:
    topology = Topology("redis://h1:7000,h2:7001")
    topology.learn_cluster("redis://h1:7000", HALVES)
    topology.note(failed={"redis://h1:7000"})
    assert topology.candidates() == ["redis://h2:7001", "redis://h1:7000"]
    topology.note(new_owner="redis://h1:7000")
    assert topology.candidates()[0] == "redis://h1:7000"


def test_what_is_known_is_forgotten_but_for_a_socket() -> None:
    topology, socket = Topology("redis://h1:7000"), Topology("unix:///run/valkey.sock")
    assert (topology.is_known, socket.is_known) == (False, True)
    topology.learn_server("redis://h1:7000")
    assert topology.is_known
    assert topology.slots is None
    topology.forget()
    socket.forget()
    assert (topology.is_known, socket.is_known) == (False, True)


def test_several_addresses_that_are_no_cluster_are_refused_without_the_password() -> None:
    with pytest.raises(ValueError, match=r"h1:7000 is no node of a cluster") as caught:
        Topology("redis://user:secret@h1:7000,h2:7001").learn_server("redis://user:secret@h1:7000")
    assert "secret" not in str(caught.value)
