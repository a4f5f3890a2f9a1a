"""harness.display: what a person reads of a run, of a failure and of a damaged recording."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import display, records
from harness.blessing import Run, bless
from harness.expected import ExpectedGuest, parse_trace
from harness.guests import Guest
from harness.records import Exit, GuestEnd, Malformed, SequenceGap
from harness.tables import PROJECT, TABLES
from harness.wire import Damage, Text
from tests.samples import assemble_sample, exit_item, exit_port, item, make_begin, make_end, make_exit

TRACE = PROJECT / "tests" / "expected" / "sample.trace"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return assemble_sample(tmp_path_factory.mktemp("sample"))


def cpuid(**changes: Any) -> Exit:
    return make_exit("CPUID", **{"instruction": b"\x0f\xa2", "instruction_length": 2, **changes})


def mov_cr0(**changes: Any) -> Exit:
    fields = {"number": 1, "rip": 0x8002, "instruction": b"\x0f\x22\xc0", "instruction_length": 3}
    return make_exit("CR_ACCESS", **{**fields, **changes})


def run() -> tuple[list[Exit], GuestEnd]:
    return [cpuid(), mov_cr0(), exit_port(0x800D, 2)], make_end("EXIT_PORT", 3)


def expected(guest: Guest) -> ExpectedGuest:
    return parse_trace(bless(None, [Run(guest, *run())]), TRACE).guests["sample"]


def log(*events: records.Event, guests: dict[str, Guest] | None = None, **options: Any) -> list[str]:
    stream = io.StringIO()
    printer = display.Log(stream, guests, **options)
    for event in events:
        printer.event(event)
    return stream.getvalue().splitlines()


def header(**changes: Any) -> records.Header:
    fields: dict[str, Any] = {
        "schema": 1,
        "build": "b1",
        "command_line": "",
        "loader": "GRUB",
        "hypervisor": "",
        "vendor": "GenuineIntel",
        "brand": "A Processor",
        "signature": 1,
        "processors": 2,
        "capabilities": {},
        "guests": 9,
        "selected": 1,
    }
    return records.Header(item("HEADER", **{**fields, **changes}))


def test_a_run_is_one_line_an_exit(guest: Guest) -> None:
    exits, end = run()
    catalogue = records.Catalogue(item("CATALOGUE", index=0, name="sample", digest=guest.digest))
    lines = log(header(), catalogue, make_begin("sample"), *exits, end, guests={"sample": guest})
    assert lines == [
        "A Processor, 2 processors",
        "build b1, 1 of 9 guests",
        "sample  LONG64: CPUID",
        "  #0   CPUID           first       cpuid                     length=2  -> resume past",
        "  #1   CR_ACCESS       second      mov cr0, rax              length=3"
        " qualification={control_register=CR0 access=mov_to_cr register=RAX}  -> resume past",
        "  #2   IO_INSTRUCTION  second+0xb  out dx, ax                length=2"
        " qualification={size=2 direction=out operand=dx port=0x604}  -> power off",
        "  end   EXIT_PORT, 3 exits",
    ]


def test_labels_are_only_taken_from_the_same_build(guest: Guest) -> None:
    catalogue = records.Catalogue(item("CATALOGUE", index=0, name="sample", digest=guest.digest ^ 1))
    lines = log(catalogue, make_begin("sample"), cpuid(), guests={"sample": guest})
    assert "another build" in lines[0] and "0x8000" in lines[1]


def test_unknown_numbers_are_printed_as_numbers() -> None:
    lines = log(
        make_exit(35, next=77),
        make_exit("ENTRY_FAIL_GUEST_STATE", qualification=9),
        records.GuestEnd(item("GUEST_END", index=0, outcome=99, exits=1)),
        records.End(item("END", stop=99, detail="x", guests=1)),
        records.UnknownRecord({0: 50, 1: 3}),
        header(schema=7),
    )
    assert "#0   35 " in lines[0] and lines[0].endswith("-> 77")
    assert "cause=9" in lines[1]
    assert lines[2] == "  end   99, 1 exit"
    assert lines[3].startswith("the run ended: 99")
    assert "unknown kind" in lines[4]
    assert "schema 7" in lines[5]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 90),
    st.lists(st.integers(0, 2**64 - 1), min_size=20, max_size=20),
    st.binary(max_size=15),
)
def test_no_exit_record_at_all_is_too_strange_to_show(reason: int, values: list[int], code: bytes) -> None:
    keys = [row.key for row in TABLES.record_fields["EXIT"].values() if row.type == "UINT" and row.key > 3]
    strange = Exit(exit_item(reason, instruction=code) | dict(zip(keys, values)))
    assert len(log(strange, details=True)) > 1


def test_details_add_registers_and_controls() -> None:
    text = "\n".join(log(make_begin("x"), cpuid(registers={3: 0xABC}, activity_state=1), details=True))
    assert "PIN: EXTERNAL_INTERRUPT_EXITING" in text
    assert "RBX    0000000000000abc" in text and "activity: state=hlt" in text


def test_console_text_cannot_command_the_terminal() -> None:
    assert log(Text(0, "a\x1b[2Jb\x07"), Text(0, "  ")) == ["| a\\x1b[2Jb\\x07"]
    assert "\x1b" not in "".join(log(records.Log(item("LOG", message="\x1b[31m"))))


def test_colour_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    display.Log(terminal).event(cpuid())
    assert "\x1b[" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    display.Log(terminal).event(cpuid())
    assert "\x1b[" not in terminal.getvalue()


def test_what_is_wrong_with_a_recording() -> None:
    assert log(
        SequenceGap(8, 3, 7), SequenceGap(8, 3, 2), Malformed(9, {}, "no kind"), Damage(4, b"\1\2", "bad")
    ) == [
        "byte 8: 4 records are missing: number 7 where 3 should be",
        "byte 8: a record came again, or too late: number 2 where 3 should be",
        "byte 9: a record that is not as the schema says: no kind",
        "byte 4: 2 damaged bytes: bad: 01 02",
    ]


def test_a_panic_shows_the_registers() -> None:
    record = records.Panic(
        item(
            "PANIC",
            message="no way",
            vector=14,
            error_code=2,
            rip=0x1234,
            cr2=0x99,
            registers={1: 5},
            processor=1,
        )
    )
    text = display.panic(record)
    assert text.startswith("the hypervisor panicked: no way\n  exception #PF, error code 0x2 at 0x1234\n")
    assert (
        "RCX    0000000000000005" in text and "CR2    0000000000000099" in text and "on processor 1" in text
    )
    assert display.panic(records.Panic(item("PANIC", message="short"))) == "the hypervisor panicked: short"


def test_a_failure_marks_the_field(guest: Guest) -> None:
    exits, end = run()
    exits[1] = mov_cr0(qualification=0x300)
    text = display.failure(expected(guest), exits, end, guest, options="MODEL=x")
    assert text.splitlines() == [
        "sample: exit 1: differs in qualification.register (tests/expected/sample.trace:4)",
        "  expected  CR_ACCESS  second  `mov cr0, rax`  length=3"
        " qualification={control_register=CR0 access=mov_to_cr register=RAX}",
        "  actual    CR_ACCESS  second  `mov cr0, rax`  length=3"
        " qualification={control_register=CR0 access=mov_to_cr register=RBX}",
        "                                                       "
        "                                                      ^^^^^^^^^^^^",
        'SDM: "Instructions That Cause VM Exits Unconditionally"',
        "repeat: make check GUEST=sample MODEL=x",
    ]


@pytest.mark.parametrize(
    "changes, heading",
    [
        (lambda exits: exits[:1] + exits[2:], "an exit is missing (tests/expected/sample.trace:4)"),
        (lambda exits: exits[:1] + exits[:1] + exits[1:], "exit 0 should not be"),
        (lambda exits: [exits[1], exits[0], exits[2]], "out of order"),
        (lambda exits: [exits[0], mov_cr0(rip=0x8003), exits[2]], "differs in location"),
        (lambda exits: [exits[0], cpuid(rip=0x8002), exits[2]], "differs in reason"),
        (lambda exits: [*exits[:2], Exit(exits[2].item | {5: 1})], "exit 2: differs in length"),
    ],
)
def test_every_kind_of_failure_has_a_display(changes: Any, heading: str, guest: Guest) -> None:
    exits, end = run()
    text = display.failure(expected(guest), changes(exits), end, guest)
    assert heading in text and "expected" in text and "actual" in text and "^" in text


def test_a_long_list_of_failures_is_cut(guest: Guest) -> None:
    _, end = run()
    text = display.failure(expected(guest), [cpuid(number=number) for number in range(40)], end, guest)
    assert "... and more: 4" in text and len(text.splitlines()) < 40


def test_another_end_is_shown(guest: Guest) -> None:
    exits, _ = run()
    text = display.failure(expected(guest), exits[:2], make_end("WATCHDOG_TIME", 2), guest)
    assert "the guest ended otherwise" in text and "WATCHDOG_TIME" in text
    assert "no end was recorded" in display.failure(expected(guest), exits[:2], None, guest)


def test_the_manual_s_examples_are_traces() -> None:
    page = (PROJECT / "docs" / "expected-traces.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```trace\n")[1:]]
    assert len(blocks) == 2
    for block in blocks:
        parse_trace(block, Path("example.trace"))
