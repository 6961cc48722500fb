"""A real nginx with a configuration that the test gives."""

import contextlib
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.servers.ports import accepts_connections
from tests.servers.process import ServerProcess, running, server_folder


class NginxServer:
    """The running nginx; `folder` is its prefix, where relative paths of the configuration lie."""

    def __init__(self, process: ServerProcess, port: int, folder: Path) -> None:
        self.process = process
        self.port = port
        self.folder = folder

    @property
    def base_url(self) -> str:
        """Its address, for plain HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def configuration(self) -> Path:
        """The main file; change it, then `reload`."""
        return self.folder / "nginx.conf"

    def reload(self) -> None:
        """Have it read its configuration again, without dropping a connection."""
        self.process.signal(signal.SIGHUP)


@contextlib.contextmanager
def running_nginx(configuration: str, port: int, files: dict[str, str] | None = None) -> Iterator[NginxServer]:
    """Start an nginx with this whole main configuration, which has to listen on `port`.

    `files` (name below the prefix → text) lie beside it, such as included configurations and certificates. Raises
    RuntimeError with what nginx said when it refuses the configuration.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise RuntimeError("there is no nginx; install the package nginx")
    with server_folder("nginx") as folder:
        folder.chmod(0o755)  # its workers run as another user
        for name, text in {"nginx.conf": configuration, **(files or {})}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]
        process = ServerProcess("nginx", command, folder, partial(accepts_connections, port))
        with running(process):
            yield NginxServer(process, port, folder)
