"""How the devices of a run reach the site: most over a WebSocket, some by long polling."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tests.client.chat_client import ChatClient
from tests.client.options import Account, ClientOptions
from tests.client.polling import PollingChatClient

POLLING_OF_TEN = 1
Connect = Callable[[Account, int], ChatClient]
HEARTBEATS = (5.0, 10.0)  # more often than asked for: what hangs is found sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where clients find a site, and how they know its certificate."""

    base_url: str
    tls: ssl.SSLContext | None = None

    def connect(self, account: Account, pick: int) -> ChatClient:
        """A client for a device, not online yet; the number `pick` says of which kind."""
        options = ClientOptions(heartbeat_every=HEARTBEATS[pick % len(HEARTBEATS)], tls=self.tls)
        if pick % 10 < POLLING_OF_TEN:
            return PollingChatClient(self.base_url, account, options)
        # As the browser app gives it: a load balancer then sends all devices of a person to one gateway.
        url = f"ws{self.base_url.removeprefix('http')}/ws/chat/?user={account.user_id}"
        return ChatClient(url, account, options)
