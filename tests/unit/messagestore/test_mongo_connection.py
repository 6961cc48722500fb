"""How the client is made from the URL."""

import pytest

from apps.messagestore import mongo_connection
from apps.messagestore.mongo_connection import CLIENT_OPTIONS


class Client:
    """Takes the place of MongoClient, and remembers how it was made."""

    made: "Client"

    def __init__(self, url: str, **options: object) -> None:
        self.url, self.options, self.closed = url, options, False
        Client.made = self

    @property
    def is_mongos(self) -> bool:
        raise ConnectionError

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    monkeypatch.setattr(mongo_connection, "MongoClient", Client)
    return Client


def options_for(url: str) -> dict[str, object]:
    with pytest.raises(ConnectionError):
        mongo_connection.open_collections(url)
    assert Client.made.closed, "a client that found nobody leaves no threads behind"
    return Client.made.options


def test_what_the_url_says_comes_before_our_own_options() -> None:
    assert options_for("mongodb://h:1/chat") == CLIENT_OPTIONS
    given = options_for("mongodb://h:1,i:2/chat?replicaSet=rs0&socketTimeoutMS=500&APPNAME=other")
    assert set(CLIENT_OPTIONS) - set(given) == {"sockettimeoutms", "appname"}
