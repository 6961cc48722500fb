"""A line to the server that a test can really cut: the browser's own offline switch only freezes open sockets."""

from tests.client.line import Line, LineThread


class Network(Line):
    """A line to a local port, with a thread of its own. Browsers go to `base_url`, others to `port`."""

    def __init__(self, target_port: int) -> None:
        self._own_thread = LineThread()
        super().__init__(self._own_thread, target_port)

    @property
    def base_url(self) -> str:
        """The site's address through this line."""
        return f"http://127.0.0.1:{self.port}"

    def block_websockets(self, *, blocked: bool = True) -> None:
        """Refuse every upgrade from now on, or (`blocked` False) let them through again."""
        self.proxy.refuses_websockets = blocked

    def close(self) -> None:
        """End the line and its thread."""
        super().close()
        self._own_thread.close()
