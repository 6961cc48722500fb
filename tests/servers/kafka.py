"""Apache Kafka brokers in combined mode: each is a controller too, as a small production cluster would have it."""

import base64
import contextlib
import os
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from kafka.admin import KafkaAdminClient

from tests.servers.maven import fetch_kafka, find_java
from tests.servers.ports import find_server_port
from tests.servers.process import FurtherVariables, ServerProcess, no_variables, running, server_folder

HEAP = "384m"
# The JVM takes its collector by the machine's size; this one has the fewest threads beside the product's processes.
JAVA_OPTIONS = (f"-Xmx{HEAP}", "-Xms128m", "-XX:+UseSerialGC", "-Dlog4j2.configurationFile=log4j2.properties")
FORMAT_TIMEOUT = 120.0
START_TIMEOUT = 120.0
API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # size, key, version, correlation id, no client id

# How soon a dead broker is noticed. With Kafka's own values ✓ would pause for 12 s after a kill -9, with these for 3-6.
QUICK_FAILOVER = {
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 1000,
    "replica.lag.time.max.ms": 5000,
    "controller.quorum.election.timeout.ms": 1000,
    "controller.quorum.fetch.timeout.ms": 2000,
}
LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %p %c{1}: %m%n
"""


class KafkaCluster:
    """Running brokers, numbered from 0. A killed one may be started again on its data."""

    def __init__(self, brokers: Sequence[ServerProcess], ports: Sequence[int]) -> None:
        self.brokers = brokers
        self.ports = ports
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in ports)

    @property
    def url(self) -> str:
        """As EVENT_LOG_URL wants it."""
        return f"kafka://{self.bootstrap}"

    def list_members(self, group: str) -> dict[str, list[int]]:
        """The members of a consumer group by their client ids: the partitions that each has, of all topics."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            members = admin.describe_groups([group])[group]["members"]
        finally:
            admin.close()
        return {
            member["client_id"]: [
                partition
                for topic in (member["member_assignment"] or {}).get("assigned_partitions", ())
                for partition in topic["partitions"]
            ]
            for member in members
        }

    def kill(self, index: int) -> None:
        """kill -9 one broker."""
        self.brokers[index].kill()

    def restart(self, index: int) -> None:
        """Start a killed broker again and wait until it serves."""
        self.brokers[index].restart(START_TIMEOUT)

    def pause(self, index: int) -> None:
        """SIGSTOP one broker."""
        self.brokers[index].pause()

    def resume(self, index: int) -> None:
        """SIGCONT one broker."""
        self.brokers[index].resume()


@contextlib.contextmanager
def running_kafka(brokers: int = 1, variables_of: FurtherVariables = no_variables) -> Iterator[KafkaCluster]:
    """Start a cluster of `brokers` (1 or 3), with replication 3 and two in-sync replicas by default where there are 3.

    Topics are not made by being named: `setup_log` has to make them. `variables_of` a broker are its environment's.
    """
    class_path, java = fetch_kafka(), find_java()
    ports = [find_server_port() for _ in range(brokers)]
    controller_ports = [find_server_port() for _ in range(brokers)]
    with server_folder("kafka") as folder:
        homes = [folder / f"broker-{number}" for number in range(brokers)]
        for number, home in enumerate(homes):
            _configure(home, broker_settings(number, ports, controller_ports))
        _format(homes, java, class_path)
        command = [java, *JAVA_OPTIONS, "-cp", class_path, "kafka.Kafka", "server.properties"]
        processes = [
            # Its data goes with it: nobody needs the half minute in which three of them would hand over to each other.
            ServerProcess(
                name := f"kafka-{number}",
                command,
                home,
                partial(_answers, ports[number]),
                environment=os.environ | variables_of(name),
                stop_signal=signal.SIGKILL,
            )
            for number, home in enumerate(homes)
        ]
        with running(*processes, timeout=START_TIMEOUT):
            yield KafkaCluster(processes, ports)


def broker_settings(number: int, ports: Sequence[int], controller_ports: Sequence[int]) -> Mapping[str, object]:
    """How one broker of a cluster is set up; docker/compose.yml says the same of those in production."""
    copies = min(3, len(ports))
    voters = ",".join(f"{voter}@127.0.0.1:{port}" for voter, port in enumerate(controller_ports))
    return {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{ports[number]},CONTROLLER://127.0.0.1:{controller_ports[number]}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{ports[number]}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": "data",
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": max(1, copies - 1),
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 12,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        "group.initial.rebalance.delay.ms": 0,
        # The cleaner's default buffer of 128 MiB would not fit into the heap beside the rest.
        "log.cleaner.dedupe.buffer.size": 16_777_216,
        "num.network.threads": 2,
        "num.io.threads": 4,
        **QUICK_FAILOVER,
    }


def _configure(home: Path, settings: Mapping[str, object]) -> None:
    home.mkdir()
    (home / "server.properties").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (home / "log4j2.properties").write_text(LOGGING)


def _format(homes: Sequence[Path], java: str, class_path: str) -> None:
    """Give each broker its empty storage, with one cluster id; all at once, since each is a JVM of its own."""
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
    command = [java, *JAVA_OPTIONS, "-XX:TieredStopAtLevel=1", "-cp", class_path, "kafka.tools.StorageTool", "format"]
    command += ["--cluster-id", cluster_id, "--config", "server.properties"]

    def run(home: Path) -> None:
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=FORMAT_TIMEOUT)
        if done.returncode != 0:
            raise RuntimeError(f"formatting {home} failed: {done.stdout}{done.stderr}")

    with ThreadPoolExecutor(max_workers=len(homes)) as threads:
        list(threads.map(run, homes))


def _answers(port: int) -> bool:
    """Whether a broker answers requests, which it does from the moment it is a member of the cluster."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(API_VERSIONS_REQUEST)
            return len(connection.recv(4)) == 4
    except OSError:
        return False
