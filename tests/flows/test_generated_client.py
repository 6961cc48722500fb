"""A client that a generator makes of the site's own schema registers, logs in, sets settings and reads history."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from types import ModuleType

import httpx
import pytest

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.server import Server

PACKAGE = "generated_chat_client"
PASSWORD = "a password of the test"
GENERATOR_SECONDS = 120


@pytest.fixture(scope="module")
def generated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make the package and give its name; a warning of the generator is a fault of the schema."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "schema.json").write_bytes(httpx.get(f"{server.base_url}/api/schema/").raise_for_status().content)
    (folder / "config.yml").write_text("post_hooks: []\n")
    generator = Path(sys.executable).with_name("openapi-python-client")
    what = ("--path", folder / "schema.json", "--config", folder / "config.yml", "--output-path", folder / PACKAGE)
    subprocess.run(
        [generator, "generate", "--meta", "none", "--fail-on-warning", *what],
        check=True,
        timeout=GENERATOR_SECONDS,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield PACKAGE
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def part(package: str, name: str) -> ModuleType:
    """A module of the generated package."""
    return importlib.import_module(f"{package}.{name}")


async def test_a_generated_client_logs_in_sets_settings_and_reads_history(
    generated: str, server: Server, accounts: AccountPool
) -> None:
    client, models = part(generated, "client"), part(generated, "models")
    username = f"gen-{token_hex(4)}"
    with client.Client(base_url=server.base_url) as anonymous:
        register = part(generated, "api.auth.auth_register_create")
        register.sync(client=anonymous, body=models.RegisterBody(username=username, password=PASSWORD))
        login = part(generated, "api.auth.auth_login_create")
        wrong = login.sync(client=anonymous, body=models.LoginBody(username=username, password="wrong"))
        assert (type(wrong), wrong.code) == (models.ErrorAnswer, "invalid_credentials")
        me = login.sync(client=anonymous, body=models.LoginBody(username=username, password=PASSWORD))
    with client.AuthenticatedClient(base_url=server.base_url, token=me.token, prefix="Token") as own:
        settings = part(generated, "api.user.user_settings_update")
        kept = settings.sync(client=own, body=models.SettingsBody(history_days=models.SettingsBodyHistoryDays(90)))
        assert kept.history_days == 90
        (bob,) = accounts.take(1)
        ann = Account(user_id=me.user_id, device_id=me.device_id, token=me.token)
        async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob):
            sent = a.send(bob.user_id, "hello")
            await a.wait_delivered()
        page = part(generated, "api.history.history_retrieve").sync(bob.user_id, client=own)
        assert [(one.message_id, one.content) for one in page.results] == [(sent.message_id, "hello")]
        delivery = part(generated, "api.message.message_delivery_retrieve").sync(sent.message_id, client=own)
        assert (delivery.delivered, delivery.members) == (1, 1)
        talks = part(generated, "api.conversations.conversations_retrieve").sync(client=own)
        assert [(talk.participant_id, talk.unread_count) for talk in talks.results] == [(bob.user_id, 0)]
