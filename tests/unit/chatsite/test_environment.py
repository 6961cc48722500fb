"""Variables: what is taken, what is refused, and that the refusal says enough and not too much."""

import os
import stat
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from chatsite.environment import Environment, InvalidVariable


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("X", "DEBUG", "DATABASE_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Environment(tmp_path / ".env")


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_a_boolean_understands_common_words(
    env: Environment, monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("X", value)
    assert env.boolean("X", not expected) is expected


def test_a_variable_set_to_nothing_counts_as_not_set(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " ")
    assert env.integer("X", 7) == 7
    assert env.names("X", ["a"]) == ["a"]
    assert env.text("X", "b") == "b"


def test_names_are_split_at_commas(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "a.example, b.example,")
    assert env.names("X", []) == ["a.example", "b.example"]


def test_a_choice_is_taken_in_any_case(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "debug")
    assert env.choice("X", "INFO", ["DEBUG", "INFO"]) == "DEBUG"


REFUSED: list[tuple[str, Callable[[Environment], object], str]] = [
    ("maybe", lambda env: env.boolean("X", False), "true or false"),
    ("x", lambda env: env.integer("X", 1), "a whole number, 0 or more"),
    ("1.5", lambda env: env.integer("X", 1, maximum=9), "a whole number, 0 to 9"),
    ("161", lambda env: env.integer("X", 1, minimum=1, maximum=160), "a whole number, 1 to 160"),
    ("-1", lambda env: env.integer("X", 1), "a whole number, 0 or more"),
    ("0", lambda env: env.port("X", 8000), "a whole number, 1 to 65535"),
    ("65536", lambda env: env.port("X", 8000), "a whole number, 1 to 65535"),
    ("loud", lambda env: env.choice("X", "INFO", ["DEBUG", "INFO"]), "one of DEBUG, INFO"),
    ("http://host", lambda env: env.valkey_url("X", Path("/x"), "cache"), "redis://host:port/0"),
    ("redis://", lambda env: env.valkey_url_or("X", ""), "redis://host:port/0"),
    ("redis://host:port", lambda env: env.broker_url("X", ""), "redis://host:port/0"),
    ("redis://host:1", lambda env: env.event_log_url("X", Path("/x")), "valkey://host:port"),
    ("kafka://host:x", lambda env: env.event_log_url("X", Path("/x")), "kafka://host:9092,host:9092"),
    ("kafka://a:1,,b:2", lambda env: env.event_log_url("X", Path("/x")), "kafka://host:9092,host:9092"),
    ("mongodb://", lambda env: env.message_store_url("X"), "mongodb://user:password@host:27017"),
    ("orm://other", lambda env: env.message_store_url("X"), "orm://messages"),
    ("redis://a:1,b:x", lambda env: env.valkey_cluster_url_or("X", ""), "redis://host:port,host:port"),
    ("10.0.0.0/8,proxy", lambda env: env.networks("X"), "IP addresses and networks"),
    ("mysql://host/db", lambda env: env.database("X", Path("/x")), "postgresql://"),
    ("sqlite://:memory:", lambda env: env.database("X", Path("/x")), "sqlite:////absolute/path"),
    ("postgresql://host", lambda env: env.database("X", Path("/x")), "with the name of a database"),
]


@pytest.mark.parametrize(("value", "read", "takes"), REFUSED)
def test_a_wrong_value_is_refused_in_one_line_with_name_value_and_what_it_takes(
    env: Environment,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    read: Callable[[Environment], object],
    takes: str,
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(InvalidVariable) as refusal:
        read(env)
    text = str(refusal.value)
    assert text.startswith(f"X is {value!r}: it takes ")
    assert takes in text
    assert "\n" not in text


@pytest.mark.parametrize("url", ["mysql://chat:geheim@host/db", "mysql://:geheim@host/db", "mysql://a:ge:heim@host/db"])
def test_a_refusal_hides_passwords(env: Environment, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("X", url)
    with pytest.raises(InvalidVariable) as refusal:
        env.database("X", Path("/x"))
    assert "heim" not in str(refusal.value)
    assert ":***@host" in str(refusal.value)


def test_the_dotenv_file_is_read_and_the_process_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("# comment\nX_FROM_FILE=5\nX_FROM_BOTH=5\n")
    monkeypatch.setenv("X_FROM_BOTH", "6")
    # monkeypatch removes what the file sets, too.
    monkeypatch.setenv("X_FROM_FILE", "")
    monkeypatch.delenv("X_FROM_FILE")
    env = Environment(tmp_path / ".env")
    assert env.integer("X_FROM_FILE", 0) == 5
    assert env.integer("X_FROM_BOTH", 0) == 6


def test_the_data_folder_is_made_for_its_owner_only(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "deep/folder")
    folder = env.data_dir("X", tmp_path / "other")
    assert folder == tmp_path / "deep" / "folder"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_data_folder_that_is_a_file_or_cannot_be_made_is_refused(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for value in (str(tmp_path / "file"), "/proc/no/such/place"):
        monkeypatch.setenv("X", value)
        with pytest.raises(InvalidVariable, match="a folder that can be made and written"):
            env.data_dir("X", tmp_path)


def test_the_secret_key_is_made_once_and_readable_by_its_owner_only(env: Environment, tmp_path: Path) -> None:
    with ThreadPool(8) as threads:
        keys = threads.map(lambda _: env.secret_key("SECRET_KEY", tmp_path), range(8))
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 50
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secret-key"]


def test_the_secret_key_must_be_given_beside_an_external_database_unless_debugging(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/db")
    with pytest.raises(InvalidVariable, match=r"^SECRET_KEY is not set: it takes a long random text"):
        env.secret_key("SECRET_KEY", tmp_path)
    monkeypatch.setenv("DEBUG", "true")
    assert env.secret_key("SECRET_KEY", tmp_path)
    monkeypatch.setenv("DEBUG", "")
    monkeypatch.setenv("SECRET_KEY", "given")
    assert env.secret_key("SECRET_KEY", tmp_path) == "given"


def test_without_urls_the_embedded_servers_have_sockets_in_the_data_folder(env: Environment, tmp_path: Path) -> None:
    data_dir = tmp_path if len(str(tmp_path)) < 80 else Path("/tmp")
    redis_url = env.valkey_url("X", data_dir, "cache")
    assert redis_url == f"unix://{data_dir}/run/cache.sock"
    assert env.broker_url("X", redis_url) == f"redis+socket://{data_dir}/run/cache.sock"
    assert env.event_log_url("X", data_dir) == f"valkey+unix://{data_dir}/run/log.sock"


@pytest.mark.parametrize("name", ["long" * 30, "with space"])
def test_a_path_too_long_or_too_odd_for_a_socket_gives_a_short_private_one(
    env: Environment, tmp_path: Path, name: str
) -> None:
    data_dir = tmp_path / name
    data_dir.mkdir()
    socket = Path(env.valkey_url("X", data_dir, "cache").removeprefix("unix://"))
    try:
        assert len(str(socket)) < 100
        assert socket == Path(env.valkey_url("X", data_dir, "cache").removeprefix("unix://"))
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    finally:
        socket.parent.rmdir()


def test_a_socket_folder_that_others_can_write_is_refused(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    if len(str(tmp_path)) < 80:
        with pytest.raises(InvalidVariable, match="can be written by others"):
            env.valkey_url("X", tmp_path, "cache")


def test_a_valkey_url_is_written_as_the_client_library_knows_it(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "valkeys://user:pw@host:6380/2")
    assert env.valkey_url("X", Path("/x"), "cache") == "rediss://user:pw@host:6380/2"


def test_sqlite_databases_survive_a_power_loss_and_wait_for_their_lock(env: Environment, tmp_path: Path) -> None:
    settings = env.database("X", tmp_path / "users.sqlite3")
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["OPTIONS"]["timeout"] == 20
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "mmap_size=0", "secure_delete=ON"):
        assert f"PRAGMA {pragma}" in settings["OPTIONS"]["init_command"]


def test_messages_have_a_file_of_their_own_beside_a_sqlite_users_database(env: Environment, tmp_path: Path) -> None:
    settings = env.message_database("DATABASE_URL", tmp_path / "messages.sqlite3")
    assert settings["NAME"] == str(tmp_path / "messages.sqlite3")


def test_messages_share_a_postgresql_users_database(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://chat:pw@host:5433/chat")
    settings = env.message_database("DATABASE_URL", tmp_path / "messages.sqlite3")
    users = env.database("DATABASE_URL", tmp_path / "users.sqlite3")
    assert all(settings[name] == users[name] for name in ("ENGINE", "HOST", "PORT", "NAME", "USER", "PASSWORD"))
    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == ("host", 5433, "chat")
    assert settings["OPTIONS"]["server_side_binding"], "its statements are prepared on the server"


def test_a_postgresql_that_is_gone_is_given_up_soon_unless_the_url_says_otherwise(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://chat:pw@host/chat?connect_timeout=30&sslmode=require")
    options = env.database("DATABASE_URL", tmp_path / "users.sqlite3")["OPTIONS"]
    assert (options["connect_timeout"], options["sslmode"]) == (30, "require")
    assert options["tcp_user_timeout"] == 15_000


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("kafka://a:9092,b:9092", lambda env: env.event_log_url("X", Path("/x"))),
        ("mongodb://chat:pw@a:27017,b:27017/chat?replicaSet=rs0", lambda env: env.message_store_url("X")),
        ("mongodb+srv://db.example.org/chat", lambda env: env.message_store_url("X")),
        ("redis://a:7001,b:7002", lambda env: env.valkey_cluster_url_or("X", "")),
        ("redis://:pw@a:7001", lambda env: env.valkey_cluster_url_or("X", "")),
    ],
)
def test_servers_of_the_production_profile_are_taken_as_they_stand(
    env: Environment, monkeypatch: pytest.MonkeyPatch, value: str, read: Callable[[Environment], str]
) -> None:
    monkeypatch.setenv("X", value)
    assert read(env) == value


def test_a_number_and_a_database_that_are_not_set_are_none(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.optional_integer("X", minimum=1) is None
    assert env.optional_database("X") is None
    monkeypatch.setenv("X", "3")
    assert env.optional_integer("X", minimum=1) == 3
