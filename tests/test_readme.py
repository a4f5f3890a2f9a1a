"""The README's own words: its micro-guest is added to a copy of the project exactly as it says, and passes;
and what it names is there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.tables import PROJECT

README = (PROJECT / "README.md").read_text()
# What a copy of the project needs: links where nothing is written.
LINKED = (
    "grub.cfg",
    "Makefile",
    "pyproject.toml",
    "guests/include",
    "guests/guest.ld",
    "tests/deviations",
)
# What was built already, and does not depend on the guests.
BUILT = ("flags", "include", "kernel", "native", "unit", "kernel.elf", "kernel-stripped.elf")
PLAIN = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


def fenced(language: str) -> str:
    """The README's only block in this language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(block)


def copy_project(folder: Path) -> None:
    """A copy of the project, built, without any guest."""
    for name in LINKED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(PROJECT / name)
    for name in ("src", "harness"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("guests/asm", "tests/expected", "build"):
        (folder / name).mkdir(parents=True)
    for name in BUILT:
        copy = shutil.copytree if (PROJECT / "build" / name).is_dir() else shutil.copy2
        copy(PROJECT / "build" / name, folder / "build" / name)


@pytest.mark.ahead
def test_the_example_passes() -> None:
    with tempfile.TemporaryDirectory(prefix="exitscope-") as folder:
        project = Path(folder)
        copy_project(project)
        (project / "guests/asm/first_guest.S").write_text(fenced("asm"))
        (project / "tests/expected/first_guest.trace").write_text(fenced("trace"))
        done = subprocess.run(
            ["make", "run", "GUEST=first_guest"],
            cwd=project,
            env=PLAIN,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "1 guests: 1 PASS" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_every_target_that_it_names_is_one() -> None:
    targets = set(re.findall(r"^## ([a-z-]+)\t", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", README)) <= targets


def test_every_file_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    paths = re.findall(r"`((?:src|harness|tests|docs|guests)/[\w./-]*)`", README)
    made = ("guests/asm/first_guest.S", "tests/expected/first_guest.trace")
    assert links
    for path in links + [path for path in paths if path not in made]:
        assert (PROJECT / path).exists(), path
