"""harness.guests: the heads, labels and digests of micro-guests, assembled as the build does it."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from harness.guests import Expect, Guest, GuestError, load_file, load_guests, matches, parse_note
from harness.tables import TABLES
from tests.samples import SAMPLE, assemble, assemble_sample

VARIANTS = """
	.macro ONE variant, register
	GUEST many, \\variant
	MODE PAE32, 3
	REASON HLT
	SECTION "Instructions That Cause VM Exits Conditionally"
	SECTION "Another One"
	NEED XSAVE
	NEED EPT_2M
	NEED_PROCESSORS 2
	CONTROL HLT_EXITING
	EXPECT HLT, at_\\variant
	CODE
	mov \\register, 1
at_\\variant:
	hlt
	END_GUEST
	.endm
	ONE eax, eax
	ONE ecx, ecx
	GUEST many, fails
	MODE LONG64
	REASON ENTRY_FAIL_GUEST_STATE
	SECTION "x"
	EXPECT_VMFAIL ENTRY_BAD_CONTROL_FIELD
	CODE
	hlt
	.data
table:	.long 1, 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with two guest files, one of which holds three guests."""
    path: Path = tmp_path_factory.mktemp("build")
    assemble_sample(path)
    assemble(path, "many", VARIANTS)
    return path


@pytest.fixture(scope="module")
def guests(folder: Path) -> dict[str, Guest]:
    return load_guests(folder / "guests")


def test_the_head(guests: dict[str, Guest], folder: Path) -> None:
    assert list(guests) == ["many.eax", "many.ecx", "many.fails", "sample"]
    sample = guests["sample"]
    assert (sample.file, sample.variant, sample.mode.name, sample.ring) == ("sample", "", "LONG64", 0)
    assert sample.reason.name == "CPUID" and sample.entry == 0x8000
    assert sample.expects == (Expect(10, 0x8000), Expect(28, 0x8002))
    assert sample.digest == zlib.crc32((folder / "catalogue" / "sample.elf").read_bytes())
    many = guests["many.ecx"]
    assert (many.file, many.variant, many.mode.name, many.ring) == ("many", "ecx", "PAE32", 3)
    assert many.needs == ("XSAVE", "EPT_2M") and many.processors == 2
    assert many.sections[1] == "Another One"
    assert [note.values for note in many.notes if note.kind.name == "CONTROL"] == [
        {"word": 1, "bit": 7, "value": 1}
    ]
    assert guests["many.fails"].expect_vmfail == 7 and not guests["many.fails"].expects


def test_labels(guests: dict[str, Guest]) -> None:
    many = guests["many.eax"]
    at = many.expects[0].address
    assert many.locate(at) == "at_eax"
    assert many.locate(at + 1) == "at_eax+0x1"
    assert many.locate(0x9004) == "table+0x4"
    assert many.locate(0x7000) == "0x7000" and many.locate(0x20000) == "0x20000"
    assert many.labels.resolve("at_eax+0x1") == at + 1
    assert many.labels.resolve("0x7000") == 0x7000
    with pytest.raises(ValueError, match='no label "nowhere".*at_eax, at_ecx'):
        many.labels.resolve("nowhere")


def test_patterns(folder: Path) -> None:
    assert list(load_guests(folder / "guests", ["many.e*", "s?mple"])) == ["many.eax", "many.ecx", "sample"]
    assert matches("io.out_8", "io") and matches("io.out_8", "i*") and matches("io.out_8", "io.out_?")
    assert not matches("io.out_8", "io.in_*") and not matches("rdmsr", "dmsr") and not matches("a", "[a]")


@pytest.mark.parametrize(
    "line, message",
    [
        ("MODE LONG64", "has 0 MODE lines where one belongs"),
        ("REASON CPUID", "has 0 REASON lines"),
        ("SECTION", "names no SDM section"),
        ("EXPECT", "expects nothing"),
        ("CODE", "has 0 ENTRY lines where one belongs: end the head with CODE"),
        ("GUEST", "MODE stands before GUEST"),
    ],
)
def test_a_head_that_lacks_something_says_what_to_add(tmp_path: Path, line: str, message: str) -> None:
    # A line is taken away from the sample; what CODE and MODE also tell the assembler stays.
    source = "\n".join(text for text in SAMPLE.splitlines() if not text.strip().startswith(line))
    bits = "\t.set .Lbits, 64\n" if line == "MODE LONG64" else ""
    with pytest.raises(GuestError, match=message) as error:
        load_file(assemble(tmp_path, "sample", bits + source))
    assert "sample.elf" in str(error.value)


@pytest.mark.parametrize(
    "source, message",
    [
        (SAMPLE.replace("GUEST sample", "GUEST other"), "named after its file: write GUEST sample"),
        (
            SAMPLE + SAMPLE.replace("first", "third").replace("second", "fourth"),
            "two guests are called sample",
        ),
        (SAMPLE.replace("CODE", "EXPECT_VMFAIL VMCALL_IN_ROOT\n\tCODE"), "EXPECT_VMFAIL stands alone"),
        (SAMPLE + "\tNOTE 99\n\tNOTE_END\n", "note 99 .* is none of"),
        (SAMPLE + "\tNOTE 4\n\t.byte 1\n\tNOTE_END\n", "it is cut short"),
    ],
)
def test_a_wrong_head_is_refused(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(GuestError, match=message):
        load_file(assemble(tmp_path, "sample", source))


def test_files_that_are_no_guests(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="holds no guests: run make"):
        load_guests(tmp_path)
    with pytest.raises(GuestError, match="cannot be read"):
        load_file(tmp_path / "missing.elf")
    broken = tmp_path / "broken.elf"
    broken.write_bytes(b"\x7fELF but no more")
    with pytest.raises(GuestError, match="broken.elf: is no ELF file"):
        load_file(broken)


def test_the_payload_of_a_note() -> None:
    kinds = {kind.name: kind for kind in TABLES.notes.values()}
    payload = b"\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0X\0"
    assert parse_note(kinds["NEED_CPUID"], payload) == {
        "leaf": 1,
        "subleaf": 2,
        "register": 3,
        "bit": 4,
        "name": "X",
    }
    assert parse_note(kinds["MOVES"], b"") == {}
    for bad in (payload + b"\0", payload[:-1], payload[:5]):
        with pytest.raises(ValueError):
            parse_note(kinds["NEED_CPUID"], bad)
