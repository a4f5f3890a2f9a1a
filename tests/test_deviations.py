"""harness.deviations: the list of a machine's known departures, and what it excuses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.comparison import Difference
from harness.deviations import Deviation, DeviationError, applies, covers, load_deviations
from harness.tables import PROJECT

ENTRY = """
[[deviation]]
guest = "io"
models = ["tigerlake", "corei7_*"]
versions = "2.7"
fields = ["qualification", "length"]
section = "Exit Qualification for I/O Instructions"
expected = "the size of the access"
came = "garbage"
proof = "the guest io.out_8"
"""


@dataclass(frozen=True)
class Machine:
    version: str
    model: str


def load(folder: Path, text: str) -> tuple[Deviation, ...]:
    path = folder / "bochs.toml"
    path.write_text(text)
    return load_deviations(path)


def difference(field: str, kind: str = "field", actual: str = "2") -> Difference:
    return Difference(kind, 0, 3, field, "1", actual)


def test_an_entry(tmp_path: Path) -> None:
    (deviation,) = load(tmp_path, ENTRY)
    assert deviation.versions == ("2.7",) and deviation.models == ("tigerlake", "corei7_*")
    assert deviation.summary.startswith("qualification, length: garbage, where the SDM")


def test_no_list_is_an_empty_list(tmp_path: Path) -> None:
    assert load_deviations(tmp_path / "qemu.toml") == ()
    assert load(tmp_path, "# nothing is known\n") == ()


def test_the_project_s_own_lists_can_be_read() -> None:
    for path in (PROJECT / "tests" / "deviations").glob("*.toml"):
        load_deviations(path)


@pytest.mark.parametrize(
    "guest, version, model, expected",
    [
        ("io.out_8", "2.7", "tigerlake", True),
        ("io", "2.7", "corei7_haswell_4770", True),
        ("cpuid", "2.7", "tigerlake", False),
        ("io", "2.8", "tigerlake", False),
        ("io", "2.7", "broadwell_ult", False),
    ],
)
def test_what_a_deviation_is_about(
    tmp_path: Path, guest: str, version: str, model: str, expected: bool
) -> None:
    (deviation,) = load(tmp_path, ENTRY)
    assert applies(deviation, guest, Machine(version, model)) is expected


def test_what_a_deviation_explains(tmp_path: Path) -> None:
    listed = load(tmp_path, ENTRY)
    assert covers(listed, [difference("length"), difference("qualification.size")])
    assert not covers(listed, [difference("length"), difference("location")])
    assert not covers(
        listed, [difference("length", "trace")]
    ), "a wrong trace is our fault, not the machine's"
    assert not covers(listed, [])
    assert not covers([], [difference("length")])


def test_a_deviation_may_say_what_comes(tmp_path: Path) -> None:
    values = """values = { length = "length=2", "qualification.size" = "size=[?]*" }"""
    listed = load(tmp_path, ENTRY + values)
    for field, actual, expected in (
        ("length", "length=2", True),
        ("length", "length=3", False),
        ("qualification.size", "size=[7] and more", True),
        ("qualification.size", "size=7", False),
        ("qualification.port", "port=1", True),
    ):
        assert covers(listed, [difference(field, actual=actual)]) is expected, (field, actual)
    assert not covers(listed, [difference("length", actual="length=2"), difference("length", actual="2")])


@pytest.mark.parametrize(
    "text, message",
    [
        ("[[deviation]", "is no TOML"),
        ("x = 1", "holds nothing but entries"),
        ("deviation = 1", "holds nothing but entries"),
        ("deviation = [1]", "entry 1 is no table"),
        (ENTRY + ENTRY.replace('proof = "the guest io.out_8"', ""), "entry 2 .* needs proof, a text"),
        (ENTRY.replace('versions = "2.7"', "versions = 2.7"), "entry 1 .* needs versions, a text or a list"),
        (ENTRY.replace('["tigerlake", "corei7_*"]', "[]"), r"entry 1 \(io\) needs models"),
        (ENTRY + 'reason = "x"', r"entry 1 \(io\) has reason, which is not known"),
        (ENTRY.replace('["qualification", "length"]', '"*"'), r"entry 1 \(io\) excuses every field"),
        (ENTRY + "values = 1", "entry 1 .* needs values to be texts by field"),
        (ENTRY + "values = { length = 1 }", "entry 1 .* needs values to be texts by field"),
        (ENTRY + 'values = { rip = "1" }', "entry 1 .* has a value for rip, which is not among"),
    ],
)
def test_a_wrong_list_names_the_entry(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DeviationError, match=message) as error:
        load(tmp_path, text)
    assert "bochs.toml" in str(error.value)
