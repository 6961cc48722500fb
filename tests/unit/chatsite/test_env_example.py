"""The list of variables for people is complete, and says nothing that the program does not take."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / ".env.example").read_text()
SETTINGS = (ROOT / "chatsite" / "settings.py").read_text()


def test_every_variable_of_the_settings_stands_in_the_example_and_no_other() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
    listed = set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    assert read == listed


def test_the_defaults_in_the_example_are_taken(tmp_path: Path) -> None:
    lines = re.findall(r"^#([A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE)
    given = dict(lines) | {"CHAT_DATA_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", "import chatsite.settings"],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
