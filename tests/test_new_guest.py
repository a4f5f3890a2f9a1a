"""`make new-guest`: what it writes assembles, for every mode and reason, and it never writes over
anything.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import new_guest
from harness.expected import load_trace
from harness.guests import Guest, load_file
from harness.new_guest import NewGuestError, create
from harness.tables import PROJECT, TABLES

MODES = [mode.name for mode in TABLES.modes.values()]


def build(project: Path, name: str) -> Guest:
    """Assembles and links the guest as the Makefile does."""
    source, built, elf = project / f"guests/asm/{name}.S", project / "guest.o", project / f"{name}.elf"
    for command in (
        f"gcc -c -Wa,--fatal-warnings -I{PROJECT}/src -I{PROJECT}/guests/include -o {built} {source}",
        f"ld -n -e 0 --no-warn-rwx-segments -T {PROJECT}/guests/guest.ld -o {elf} {built}",
    ):
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return load_file(elf)[0]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_assembles(mode: str, tmp_path: Path) -> None:
    create(tmp_path, "sample", "CPUID", mode)
    guest = build(tmp_path, "sample")
    assert (guest.name, guest.mode.name, guest.reason.name) == ("sample", mode, "CPUID")
    assert [guest.locate(expect.address) for expect in guest.expects] == ["here"]


def test_every_known_cause_assembles(tmp_path: Path) -> None:
    for number, reason in enumerate(new_guest._CAUSES):
        create(tmp_path, f"sample{number}", reason, "long64")
    names = [f"sample{number}" for number in range(len(new_guest._CAUSES))]
    assert [build(tmp_path, name).reason.name for name in names] == list(new_guest._CAUSES)


def test_a_reason_without_a_known_cause_assembles(tmp_path: Path) -> None:
    create(tmp_path, "sample", "ept_violation", "REAL16")
    assert build(tmp_path, "sample").reason.name == "EPT_VIOLATION"


def test_the_trace_names_the_guest_and_the_section(tmp_path: Path) -> None:
    guest, trace = create(tmp_path, "sample", "HLT", "LONG64")
    assert (guest, trace) == (tmp_path / "guests/asm/sample.S", tmp_path / "tests/expected/sample.trace")
    assert 'section "Instructions That Cause VM Exits Conditionally"' in trace.read_text()
    assert load_trace(trace).guests == {}


@pytest.mark.parametrize("path", ["guests/asm/sample.S", "tests/expected/sample.trace"])
def test_nothing_is_written_over(path: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("precious")
    with pytest.raises(NewGuestError, match="is there already"):
        create(tmp_path, "sample", "CPUID", "LONG64")
    assert (tmp_path / path).read_text() == "precious"
    assert sum(1 for found in tmp_path.rglob("*") if found.is_file()) == 1


@pytest.mark.parametrize("name", ["", "Sample", "a.b", "a-b", "../x", "1st", "a b", "x" * 64])
def test_bad_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NewGuestError, match="small letters"):
        create(tmp_path, name, "CPUID", "LONG64")


def test_unknown_reasons_and_modes_are_refused_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(NewGuestError, match="REASON=cupid: .* did you mean CPUID"):
        create(tmp_path, "sample", "cupid", "LONG64")
    with pytest.raises(NewGuestError, match="MODE=: .* there are REAL16, PROT32"):
        create(tmp_path, "sample", "CPUID", "")
    assert list(tmp_path.iterdir()) == []
