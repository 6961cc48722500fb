"""What the Java servers need is named where it is missing."""

import stat
from pathlib import Path

import pytest

from tests.servers import maven


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(maven, "DOWNLOADS", tmp_path / "downloads")
    return tmp_path


def make_java(folder: Path, version: str) -> None:
    script = folder / "java"
    script.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


def test_a_machine_without_java_is_told_what_is_needed(tools: Path) -> None:
    with pytest.raises(maven.MissingTool, match=r"java is not there; .* JDK 17 and Maven"):
        maven.fetch_kafka()


def test_a_java_that_is_too_old_is_named_with_its_version(tools: Path) -> None:
    make_java(tools, "11.0.2")
    with pytest.raises(maven.MissingTool, match=r"Java 17 or newer is needed, .*11\.0\.2"):
        maven.fetch_kafka()


def test_a_machine_without_maven_is_told_so_and_nothing_half_fetched_is_left(tools: Path) -> None:
    make_java(tools, "21")
    with pytest.raises(maven.MissingTool, match="mvn is not there"):
        maven.fetch_mongo()
    assert [path.name for path in maven.DOWNLOADS.iterdir()] == ["lock"]
