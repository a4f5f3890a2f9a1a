"""The Makefile: a change rebuilds what depends on it, and nothing else. Tried on a project of three small
files.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness.tables import PROJECT

pytestmark = pytest.mark.ahead

# Without the variables of a make that may have started these tests.
PLAIN = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
GUEST = """\
#include "guest.h"
#include "table.def"
\t.text
\tnop
\t.section .note.exitscope, "", @note
\t.long NUMBER
"""
FILES = {
    "src/main.c": '#include "main.h"\n#include "build_id.h"\nint start(void);\n'
    "int start(void) { return NUMBER + sizeof(BUILD_ID); }\n",
    "src/main.h": "#define NUMBER 1\n",
    "src/table.def": "/* no row yet */\n",
    "src/lib/other.c": "int other(void);\nint other(void) { return 2; }\n",
    "src/arch/x86_64/kernel.ld": "SECTIONS { .text : { *(.text) } /DISCARD/ : { *(.comment) *(.note*) } }\n",
    "guests/include/guest.h": "#define NUMBER 1\n",
    "guests/asm/one.S": GUEST,
    "guests/asm/two.S": GUEST,
    "tests/unit/test_other.c": "/* sources: src/lib/other.c */\nint other(void);\n"
    "int main(void) { return other() - 2; }\n",
}


class Project:
    """A small project with our Makefile."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, text in FILES.items():
            self.write(path, text)
        for path in ("Makefile", "guests/guest.ld", "harness/deps.sh"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / path, root / path)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def make(self, *arguments: str) -> set[str]:
        """Makes these targets, by default kernel and guests; returns the steps that were taken, such as `CC
        src/main.c`.
        """
        done = subprocess.run(
            ["make", *(arguments or ("kernel", "guests"))],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=PLAIN,
        )
        assert done.returncode == 0, done.stderr
        return {" ".join(line.split()) for line in done.stdout.splitlines() if line.startswith("  ")}


KERNEL = "LD build/kernel.elf"
GUESTS = {"AS guests/asm/one.S", "AS guests/asm/two.S", "AR build/catalogue.a"}


@functools.cache
def made() -> Project:
    """A project that was made once; each test leaves it made."""
    folder = tempfile.TemporaryDirectory(prefix="exitscope-")
    atexit.register(folder.cleanup)
    project = Project(Path(folder.name))
    assert project.make() == {"CC src/main.c", "CC src/lib/other.c", KERNEL} | GUESTS
    return project


def test_nothing_changed() -> None:
    assert made().make() == set()


def test_a_header_of_the_kernel() -> None:
    made().write("src/main.h", "#define NUMBER 2\n")
    assert made().make() == {"CC src/main.c", KERNEL}


def test_a_table_of_the_kernel_that_guests_use() -> None:
    made().write("src/table.def", "/* another row */\n")
    # The kernel's digest of its sources is another one, too.
    assert made().make() == GUESTS | {"CC src/main.c", KERNEL}


def test_the_macros_of_the_guests() -> None:
    made().write("guests/include/guest.h", "#define NUMBER 2\n")
    assert made().make() == GUESTS


def test_one_guest() -> None:
    made().write("guests/asm/two.S", GUEST + "\t.long 5\n")
    assert made().make() == {"AS guests/asm/two.S", "AR build/catalogue.a"}


def test_a_guest_comes_and_goes() -> None:
    made().write("guests/asm/three.S", GUEST)
    assert made().make() == {"AS guests/asm/three.S", "AR build/catalogue.a"}
    assert members(made()) == ["one.elf", "three.elf", "two.elf"]
    (made().root / "guests/asm/three.S").unlink()
    assert made().make() == {"AR build/catalogue.a"}
    assert members(made()) == ["one.elf", "two.elf"]
    assert not (made().root / "build/guests/three.elf").exists()


def members(project: Project) -> list[str]:
    archive = project.root / "build/catalogue.a"
    return subprocess.run(["ar", "t", archive], capture_output=True, text=True, check=True).stdout.split()


def test_a_source_of_the_kernel_comes_and_goes() -> None:
    made().write("src/lib/more.c", "int more(void);\nint more(void) { return 3; }\n")
    assert made().make() == {"CC src/lib/more.c", "CC src/main.c", KERNEL}
    (made().root / "src/lib/more.c").unlink()
    assert made().make() == {"CC src/main.c", KERNEL}


def test_a_source_that_a_unit_test_uses() -> None:
    unit = {"NATIVE src/lib/other.c", "LINK build/unit/test_other"}
    assert made().make("unit") == unit | {"NATIVE tests/unit/test_other.c"}
    made().write("src/lib/other.c", FILES["src/lib/other.c"] + "/* changed */\n")
    assert made().make("unit", "kernel") == unit | {"CC src/lib/other.c", "CC src/main.c", KERNEL}


def test_other_flags() -> None:
    assert made().make("guests", "CC=gcc -DX") == GUESTS
    assert made().make("guests") == GUESTS


def test_the_same_sources_give_the_same_catalogue() -> None:
    before = (made().root / "build/catalogue.a").read_bytes()
    shutil.rmtree(made().root / "build")
    made().make()
    assert (made().root / "build/catalogue.a").read_bytes() == before


def test_an_error_names_the_file() -> None:
    made().write("src/lib/broken.c", "int x = ;\n")
    done = subprocess.run(
        ["make", "kernel"], cwd=made().root, env=PLAIN, capture_output=True, text=True, check=False
    )
    (made().root / "src/lib/broken.c").unlink()
    assert done.returncode != 0
    assert "src/lib/broken.c:1:" in done.stderr


def test_no_variable_is_a_command() -> None:
    for text in ("'; touch touched; '", '"; touch touched; "', "`touch touched`"):
        for target, names in (
            ("bench", "GUEST MACHINE MODEL PROCESSORS BOCHS QEMU"),
            ("new-guest", "NAME REASON MODE"),
        ):
            made().make(target, "PYTHON=true", *(f"{name}={text}" for name in names.split()))
    assert not (made().root / "touched").exists()


def test_help_lists_every_target() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=PROJECT, env=PLAIN, capture_output=True, text=True, check=True
    ).stdout
    for target in "check run log iso new-guest bless lint bench clean help deps".split():
        assert f"\n  {target} " in shown
