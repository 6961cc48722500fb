"""The C library that breaks disk, clock and lines of a process, built here, and the control pages that steer it."""

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.client.proxy import Address

SOURCE = Path(__file__).resolve().parents[1] / "shim" / "shim.c"
PAGE = struct.Struct("=qi4x")  # as `struct page` of the source
NS_PER_SECOND = 1_000_000_000


class ShimMissing(RuntimeError):
    """The machine cannot build it."""


class ControlPage:
    """What one process, or all of one role, are made to believe; they see a change at their next call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock_offset = 0.0
        self._disk_is_full = False
        path.write_bytes(bytes(PAGE.size))

    def set_clock(self, offset: float) -> None:
        """Let the wall clock be so many seconds ahead."""
        self._clock_offset = offset
        self._write()

    def fill_disk(self, *, full: bool) -> None:
        """Let writes to files, and syncs of them, fail with ENOSPC, or no longer."""
        self._disk_is_full = full
        self._write()

    def heal(self) -> None:
        """Show the world as it is."""
        self._clock_offset, self._disk_is_full = 0.0, False
        self._write()

    def _write(self) -> None:
        # In place: the processes have mapped the file.
        with self._path.open("r+b") as file:
            file.write(PAGE.pack(round(self._clock_offset * NS_PER_SECOND), self._disk_is_full))


class Shim:
    """The built library and the folder through which it is steered. Raises ShimMissing where there is no compiler."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Servers that run as another user read it, and note their syncs in it.
        folder.chmod(0o777)
        self._library = folder / "shim.so"
        self._pages: dict[str, ControlPage] = {}
        build(self._library)

    def environment(self, role: str | None = None) -> dict[str, str]:
        """The variables that put a process under the shim; where no role is given, its command line tells it."""
        return {"LD_PRELOAD": str(self._library), "FAULT_SHIM": str(self._folder)} | (
            {} if role is None else {"FAULT_ROLE": role}
        )

    def page(self, role: str) -> ControlPage:
        """The control page of a role; has to be made before its processes start."""
        if role not in self._pages:
            self._pages[role] = ControlPage(self._folder / f"{role}.page")
        return self._pages[role]

    def redirect(self, role: str, ways: Mapping[str, Address]) -> None:
        """Lead what the role's processes connect to elsewhere: by TCP port, or by the name of a unix socket."""
        self.page(role)
        (self._folder / f"{role}.lines").write_text("".join(f"{asked} {way}\n" for asked, way in ways.items()))

    def synced_length(self, path: Path) -> int:
        """How much of a file was on the disk when it was last synced; 0 where it never was."""
        record = self._folder / f"synced.{path.stat().st_ino}"
        return int(record.read_text()) if record.exists() else 0

    def heal(self) -> None:
        """End what every page says."""
        for page in self._pages.values():
            page.heal()


def build(library: Path) -> None:
    """Compile the library. Raises ShimMissing where that fails."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ShimMissing("there is no C compiler (cc); install gcc and libc6-dev")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / library.name
        command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", str(built), str(SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise ShimMissing(f"the shim cannot be built: {done.stderr}")
        shutil.move(built, library)
