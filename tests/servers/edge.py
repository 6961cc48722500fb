"""The site's own nginx configuration, with TLS, in front of gateways on this machine."""

import contextlib
import re
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.nginx import NginxServer, running_nginx
from tests.servers.ports import find_server_port

TEMPLATE = Path(__file__).resolve().parents[2] / "docker" / "nginx" / "nginx.conf.template"
DOMAIN = "localhost"
# As compose.yml has it; a test that wants limits gives them.
NO_LIMITS = {
    "CONNECTIONS_PER_MINUTE": "60000",
    "CONNECTION_BURST": "10000",
    "LOGINS_PER_MINUTE": "60000",
    "LOGIN_BURST": "10000",
}
# For `snippets`: a network, or a proxy on the way, that lets no WebSocket through.
REFUSE_UPGRADES = {"location /ws/chat/ {": "            return 403;"}


class Edge:
    """The running load balancer: its addresses, its certificate and its logs."""

    def __init__(self, nginx: NginxServer, https_port: int) -> None:
        self.nginx = nginx
        self.origin = f"https://{DOMAIN}:{https_port}"
        self.plain_origin = f"http://{DOMAIN}:{nginx.port}"
        self.url = f"wss://{DOMAIN}:{https_port}/ws/chat/"
        self.https_port = https_port
        self.certificate = nginx.folder / "tls.crt"

    @property
    def logs(self) -> str:
        """Everything that nginx has written down: its access log, its error log and its output."""
        files = [self.nginx.folder / name for name in ("access.log", "error.log")]
        return "".join(file.read_text() for file in files if file.exists()) + self.nginx.process.output

    def tls_context(self) -> ssl.SSLContext:
        """A client's context that trusts this edge's certificate and nobody else's."""
        return ssl.create_default_context(cafile=str(self.certificate))


@contextlib.contextmanager
def running_edge(
    gateway_ports: Sequence[int],
    *,
    https_port: int | None = None,
    snippets: Mapping[str, str] | None = None,
    **values: str,
) -> Iterator[Edge]:
    """Start an nginx with docker/nginx/nginx.conf.template in front of gateways on these ports of 127.0.0.1.

    `https_port` is a free one unless given. `values` replace those of the template's variables (see `NO_LIMITS`).
    `snippets` (line of the template → text put behind it) change the configuration itself.
    """
    http_port, https_port = find_server_port(), https_port or find_server_port()
    certificate, key = make_certificate(DOMAIN)
    text = TEMPLATE.read_text()
    for line, addition in (snippets or {}).items():
        if line not in text:
            raise ValueError(f"the template has no line {line!r}")
        text = text.replace(line, f"{line}\n{addition}")
    chosen = {
        "NGINX_RUN": ".",
        "ACCESS_LOG": "access.log",
        "ERROR_LOG": "error.log",
        "HTTP_PORT": str(http_port),
        "HTTPS_PORT": str(https_port),
        "CHAT_DOMAIN": DOMAIN,
        "CHAT_ORIGIN": f"https://{DOMAIN}:{https_port}",
        "TLS_CERTIFICATE": "tls.crt",
        "TLS_CERTIFICATE_KEY": "tls.key",
        # No fails are counted, as in compose.yml: nginx forgives a gateway only when a request to it has ended, which a
        # socket does not for hours; until then it would let one client in every fail_timeout, and answer 502 to all
        # others.
        "GATEWAYS": " ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in gateway_ports),
    }
    configuration = fill_template(text, chosen | NO_LIMITS | values)
    with running_nginx(configuration, http_port, {"tls.crt": certificate, "tls.key": key}) as nginx:
        yield Edge(nginx, https_port)


def fill_template(text: str, values: Mapping[str, str]) -> str:
    """Put `values` in the place of ${NAME}, as the nginx image does at its start. Raises KeyError for one not given."""
    return re.sub(r"\$\{([A-Z_]+)\}", lambda found: values[found[1]], text)


@cache
def make_certificate(domain: str) -> tuple[str, str]:
    """A new self-signed certificate for `domain`, and its key, both as PEM."""
    with TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
                *("-days", "2", "-subj", f"/CN={domain}", "-addext", f"subjectAltName=DNS:{domain}"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        return certificate.read_text(), key.read_text()
