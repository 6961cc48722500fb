"""compose.yml, its env file, the Dockerfile and the nginx template say the same about one another."""

import re
from operator import attrgetter
from pathlib import Path

import pytest

from apps.operations.embedded_site import SitePlan, list_parts
from apps.operations.supervision import Part
from tests.client.site import PROJECT, build_environment, run_manage
from tests.servers.compose import DOCKER, Service, read_compose, read_env_file
from tests.servers.edge import TEMPLATE
from tests.servers.kafka import broker_settings

COMPOSE = (DOCKER / "compose.yml").read_text()
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
SETTINGS = (PROJECT / "chatsite" / "settings.py").read_text()
NEEDED = ("CHAT_DOMAIN", "SECRET_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD")
FILLED_IN = read_env_file(".env.example") | {name: f"the-{name.lower()}" for name in NEEDED}
SERVICES = read_compose("compose.yml", FILLED_IN)
ALL_SERVICES = [*SERVICES.values(), *read_compose("compose.small.yml", {}).values()]
# What a small test machine has less of, and where a broker lies.
OTHERWISE_IN_TESTS = {
    "node.id",
    "listeners",
    "advertised.listeners",
    "controller.quorum.voters",
    "log.dirs",
    "transaction.state.log.num.partitions",
    "log.cleaner.dedupe.buffer.size",
    "num.network.threads",
    "num.io.threads",
}


def each(services: list[Service]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("service", services, ids=lambda service: service.name)


@each([service for service in ALL_SERVICES if not service.is_ours])
def test_an_image_of_others_has_a_version(service: Service) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:v?[1-9][0-9.]*", service.image)


@each(ALL_SERVICES)
def test_a_service_has_a_restart_policy_a_memory_limit_and_logs_that_end(service: Service) -> None:
    is_job = service.name.endswith("set-up")
    assert service.whole["restart"] == ("no" if is_job else "unless-stopped")
    assert is_job or service.whole["deploy"]["resources"]["limits"]["memory"]
    assert service.whole["logging"]["options"]["max-size"]


@each([service for service in ALL_SERVICES if service.is_ours])
def test_a_container_of_ours_may_do_little(service: Service) -> None:
    assert service.whole["read_only"] is True
    assert service.whole["cap_drop"] == ["ALL"]
    assert service.whole["security_opt"] == ["no-new-privileges:true"]
    [user] = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    for mount in service.whole["tmpfs"]:
        assert not mount.startswith("/data") or f"uid={user}," in mount


@each([service for service in ALL_SERVICES if service.is_ours])
def test_a_container_of_ours_is_given_variables_that_the_settings_read(service: Service) -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
    assert set(service.environment) <= read


def test_djangos_checks_for_a_deployment_have_nothing_to_say_about_it(tmp_path: Path) -> None:
    secrets = FILLED_IN | {"SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnop"}
    given = read_compose("compose.yml", secrets)["gateway-1"].environment
    run_manage(build_environment(tmp_path, 8000, given), "check", "--deploy", "--fail-level", "WARNING")


@each([service for service in SERVICES.values() if "ports" in service.whole])
def test_only_the_edge_is_open_to_everybody(service: Service) -> None:
    assert service.name == "nginx" or all(port.startswith("127.0.0.1:") for port in service.whole["ports"])


def test_the_env_file_names_every_variable_and_no_other() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert named == set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE))


@pytest.mark.parametrize("missing", NEEDED)
def test_a_needed_variable_that_is_not_filled_in_stops_the_start(missing: str) -> None:
    with pytest.raises(KeyError, match=f"{missing} is needed"):
        read_compose("compose.yml", FILLED_IN | {missing: ""})


def test_nginx_is_given_what_its_template_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)\}", TEMPLATE.read_text()))
    assert asked == set(SERVICES["nginx"].environment) - {"NGINX_ENVSUBST_OUTPUT_DIR"}


def test_nginx_and_the_gateways_know_each_others_addresses() -> None:
    gateways = [service for service in SERVICES.values() if service.command[-1:] == ["gateway"]]
    addresses = [service.whole["networks"]["edge"]["ipv4_address"] for service in gateways]
    [port] = re.findall(r"CHAT_PORT=(\d+)", DOCKERFILE)
    edge = SERVICES["nginx"]
    assert re.findall(r"server (\S+)", edge.environment["GATEWAYS"]) == [f"{address}:{port}" for address in addresses]
    assert {service.environment["TRUSTED_PROXIES"] for service in gateways} == {
        edge.whole["networks"]["edge"]["ipv4_address"]
    }
    assert {service.name for service in gateways} == set(edge.whole["depends_on"])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_broker_is_configured_as_those_of_the_tests(number: int) -> None:
    environment = SERVICES[f"kafka-{number}"].environment
    in_compose = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value
        for name, value in environment.items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }
    in_tests = {name: str(value) for name, value in broker_settings(0, [1, 2, 3], [4, 5, 6]).items()}
    for settings in (in_compose, in_tests):
        for name in OTHERWISE_IN_TESTS:
            settings.pop(name, None)
    assert in_compose == in_tests
    assert environment["KAFKA_NODE_ID"] == str(number)
    assert environment["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://kafka-{number}:9092"


@pytest.mark.parametrize(
    "part", list_parts(SitePlan(host="", port=1, workers=1, demo=False), ()), ids=attrgetter("name")
)
def test_what_up_starts_runs_in_a_container_too(part: Part) -> None:
    assert any(part.name in service.command for service in SERVICES.values() if service.is_ours)


@each([service for service in SERVICES.values() if service.is_ours and service.command[-1] in ("relay", "spam")])
def test_who_serves_nothing_but_metrics_is_asked_for_them(service: Service) -> None:
    assert service.whole["healthcheck"]["test"][-1] == "metrics"
    assert int(service.environment["METRICS_PORT"])


def test_whoever_waits_for_another_waits_for_one_that_is_there() -> None:
    for service in SERVICES.values():
        assert set(service.whole.get("depends_on", [])) <= set(SERVICES), service.name


def test_the_image_is_made_of_files_that_are_there_and_sent_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert all((PROJECT / source).exists() for source in sources)
    sent = re.findall(r"^!(\S+)$", (DOCKER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert set(sent) == sources
