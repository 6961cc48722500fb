"""Fetches the Java servers with Maven, once, into `.servers/` of the checkout: ``python -m tests.servers.maven``."""

import contextlib
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.client.site import PROJECT

DOWNLOADS = PROJECT / ".servers"
SOURCES = Path(__file__).with_name("java")
LEAST_JAVA = 17
FETCH_TIMEOUT = 600.0


class MissingTool(RuntimeError):
    """A program that the servers need is not there, or too old; the text says which."""


def fetch_kafka() -> str:
    """The class path of Apache Kafka, fetched where it is not there yet.

    Raises MissingTool without Java or Maven, RuntimeError where Maven fails.
    """
    return f"{_fetch(SOURCES / 'kafka.xml')}/*"


def fetch_mongo() -> str:
    """The class path of the MongoDB-protocol server with our main class, compiled; raises as `fetch_kafka`."""
    return f"{_fetch(SOURCES / 'mongo.xml', SOURCES / 'MongoMain.java')}/*"


def find_java() -> str:
    """The `java` to run servers with. Raises MissingTool where there is none of version 17 or newer."""
    java = _find_tool("java")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < LEAST_JAVA:
        raise MissingTool(f"Java {LEAST_JAVA} or newer is needed, {java} says: {said.splitlines()[0]}")
    return java


def _find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingTool(f"{name} is not there; the servers of the production tests need a JDK {LEAST_JAVA} and Maven")
    return path


def _fetch(pom: Path, *sources: Path) -> Path:
    """The folder of jars that `pom` and `sources` describe; another description makes another folder."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (pom, *sources))).hexdigest()[:12]
    folder = DOWNLOADS / f"{pom.stem}-{digest}"
    if folder.is_dir():
        return folder
    find_java()
    with _locked(), tempfile.TemporaryDirectory(dir=DOWNLOADS) as draft:
        if not folder.is_dir():  # another session may have fetched it while we waited
            jars = Path(draft) / "jars"
            _copy_dependencies(pom, jars)
            for source in sources:
                _compile(source, jars)
            jars.rename(folder)
    return folder


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    DOWNLOADS.mkdir(exist_ok=True)
    with (DOWNLOADS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy_dependencies(pom: Path, jars: Path) -> None:
    # A plain run of the goal; the plugin's version stands in the pom, so that a newer one changes nothing.
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
    _run([_find_tool("mvn"), "--quiet", "--batch-mode", "--file", str(pom), *goal])


def _compile(source: Path, jars: Path) -> None:
    with tempfile.TemporaryDirectory(dir=jars.parent) as classes:
        _run([_find_tool("javac"), "-cp", f"{jars}/*", "-d", classes, str(source)])
        _run([_find_tool("jar"), "--create", "--file", str(jars / f"{source.stem}.jar"), "-C", classes, "."])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    try:
        for class_path in (fetch_kafka(), fetch_mongo()):
            print(class_path)
    except (MissingTool, RuntimeError) as problem:
        sys.exit(f"chatsite: {problem}")
