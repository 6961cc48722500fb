"""Reads Compose files as Compose does, as far as ours go: anchors, ${NAME} from the env file, commands as lists."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DOCKER = Path(__file__).resolve().parents[2] / "docker"
OUR_IMAGE = "chatsite:latest"
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<word>[^}]*))?\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service of a Compose file, with all variables filled in; `whole` is everything that stands there."""

    name: str
    image: str
    command: list[str]
    environment: dict[str, str]
    whole: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it runs the site's own image."""
        return self.image == OUR_IMAGE


def read_compose(file: str, variables: Mapping[str, str]) -> dict[str, Service]:
    """The services of a file in docker/. Raises KeyError for a variable that is needed and not given."""
    services = _fill(YAML(typ="safe").load(DOCKER / file), variables)["services"]
    return {
        name: Service(
            name=name,
            image=whole["image"],
            command=[str(word) for word in whole.get("command", [])],
            environment={key: str(value) for key, value in whole.get("environment", {}).items()},
            whole=whole,
        )
        for name, whole in services.items()
    }


def read_env_file(file: str) -> dict[str, str]:
    """The variables that an env file in docker/ sets, be it to nothing."""
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", (DOCKER / file).read_text(), re.MULTILINE))


def _fill(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return _VARIABLE.sub(lambda found: _value_of(found, variables), node)
    if isinstance(node, dict):
        return {key: _fill(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, variables) for value in node]
    return node


def _value_of(found: "re.Match[str]", variables: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    value = variables.get(found["name"], "")
    if not value and found["kind"] == ":?":
        raise KeyError(f"{found['name']} is needed: {found['word']}")
    return value or (found["word"] if found["kind"] == ":-" else "")
