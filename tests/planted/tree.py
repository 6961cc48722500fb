"""Copies of this checkout, with or without a patch, for an instrument to run in."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class DoesNotApply(Exception):
    """The code that a patch changes has changed: the patch must follow it."""


def list_files() -> list[Path]:
    """What belongs to the checkout, new files included, relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (ROOT / (path := Path(name))).is_file()]


@contextmanager
def copied_tree(patch: Path | None = None) -> Iterator[Path]:
    """A copy of the checkout in a temporary folder, patched. Raises DoesNotApply."""
    with tempfile.TemporaryDirectory(prefix="chatsite-planted-") as folder:
        copy = Path(folder)
        for path in list_files():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
        if patch is not None:
            apply_patch(patch, copy)
        yield copy


def apply_patch(patch: Path, folder: Path, *, only_check: bool = False) -> None:
    """Apply a patch to the files under a folder, or see whether it would. Raises DoesNotApply."""
    done = subprocess.run(
        ["git", "apply", *(["--check"] if only_check else []), str(patch)],  # noqa: S607
        cwd=folder,
        # A folder that lies inside some repository would be taken for a part of it.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DoesNotApply(f"{patch.name}: {done.stderr.strip()}")
