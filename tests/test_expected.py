"""Expected traces: reading them (harness.expected), comparing (comparison) and writing (blessing)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.blessing import BlessError, Run, bless
from harness.comparison import DIFFERENCE_LIMIT, Difference, compare
from harness.expected import ExpectedGuest, TraceError, load_trace, parse_trace, stray_guests, trace_path
from harness.fields import NOTHING_KNOWN, Circumstances, fields_by_name
from harness.guests import Guest, load_file
from harness.records import Exit, GuestEnd
from harness.tables import TABLES
from harness.trace_lines import columns
from tests.samples import assemble, assemble_sample, exit_port, make_end, make_exit

PATH = Path("sample.trace")
PIECES = """[sample] CPUID EXCEPTION_NMI first `cpuid` length=2 qualification={ read } _(why) length=_ = { }
interruption={vector=#UD ` # section "x" end VMFAIL EXIT_PORT rax=0x1 flags={bus_lock} register=RAX""".split(
    " "
)
VALID = 1 << 31

# Exits with every kind of field, all at the label `first`.
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "cpuid": (
        "CPUID first `cpuid` length=2",
        {"reason": "CPUID", "instruction": "0fa2", "instruction_length": 2},
    ),
    "cr": (
        "CR_ACCESS first `mov cr0, rax` length=3"
        " qualification={control_register=CR0 access=mov_to_cr register=RAX}",
        {"reason": "CR_ACCESS", "instruction": "0f22c0", "instruction_length": 3},
    ),
    "lmsw": (
        "CR_ACCESS first `lmsw word ptr [rax]` length=3 guest_linear_address=0x30000"
        " qualification={control_register=CR0 access=lmsw lmsw_operand=memory lmsw_source=0x33}",
        {
            "reason": "CR_ACCESS",
            "instruction": "0f0130",
            "instruction_length": 3,
            "qualification": 0x330070,
            "guest_linear_address": 0x30000,
        },
    ),
    "io": (
        "IO_INSTRUCTION first `out 0x80, al` length=2"
        " qualification={size=1 direction=out operand=immediate port=0x80}",
        {
            "reason": "IO_INSTRUCTION",
            "instruction": "e680",
            "instruction_length": 2,
            "qualification": 0x800040,
        },
    ),
    "string": (
        "IO_INSTRUCTION first `rep outsb dx, byte ptr [rsi]` length=2 guest_linear_address=0x30000"
        " qualification={size=1 direction=out string rep operand=dx port=0x80}"
        " instruction_information={address_size=64 segment=DS}",
        {
            "reason": "IO_INSTRUCTION",
            "instruction": "f36e",
            "instruction_length": 2,
            "qualification": 0x800030,
            "instruction_information": 0x18100,
            "guest_linear_address": 0x30000,
        },
    ),
    "page fault": (
        "EXCEPTION_NMI first `mov al, byte ptr [0x800000]` qualification={address=0x800000}"
        " interruption={vector=#PF type=hardware_exception error_code} error_code=0x0",
        {
            "reason": "EXCEPTION_NMI",
            "instruction": "8a042500008000",
            "qualification": 0x800000,
            "interruption_information": VALID | 0xB0E,
            "interruption_error_code": 0,
        },
    ),
    "breakpoint": (
        "EXCEPTION_NMI first `int3` length=1 interruption={vector=#BP type=software_exception}",
        {
            "reason": "EXCEPTION_NMI",
            "instruction": "cc",
            "instruction_length": 1,
            "interruption_information": VALID | 0x603,
        },
    ),
    "ept": (
        "EPT_VIOLATION first `mov al, byte ptr [0x100000]` qualification={read linear_valid translation}"
        " guest_linear_address=0x100000 guest_physical_address=0x100000",
        {
            "reason": "EPT_VIOLATION",
            "instruction": "8a042500001000",
            "qualification": 0x181,
            "guest_linear_address": 0x100000,
            "guest_physical_address": 0x100000,
        },
    ),
    "delivery": (
        "EPT_VIOLATION first `int 0x80` length=2 qualification={write linear_valid translation}"
        " guest_linear_address=0x100000 guest_physical_address=0x100000"
        " idt_vectoring={vector=13 type=software_interrupt error_code} idt_error_code=0x18",
        {
            "reason": "EPT_VIOLATION",
            "instruction": "cd80",
            "instruction_length": 2,
            "qualification": 0x182,
            "guest_linear_address": 0x100000,
            "guest_physical_address": 0x100000,
            "idt_vectoring_information": VALID | 0xC0D,
            "idt_vectoring_error_code": 0x18,
        },
    ),
    "entry failure": (
        "ENTRY_FAIL_GUEST_STATE first _(no instruction ran) qualification={cause=vmcs_link_pointer}",
        {"reason": VALID | 33, "qualification": 4},
    ),
    "interrupt": (
        "EXTERNAL_INTERRUPT first _(where it comes depends on the machine)"
        " interruption={vector=64 type=external_interrupt} rflags=0x202 rax=0x1234"
        " activity_state={state=hlt} flags={bus_lock} next=RESUME_HERE",
        {
            "reason": 1 << 26 | 1,
            "interruption_information": VALID | 0x40,
            "rflags": 0x202,
            "registers": {0: 0x1234},
            "activity_state": 1,
            "next": 1,
        },
    ),
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return assemble_sample(tmp_path_factory.mktemp("sample"))


def recorded(name: str, **changes: Any) -> Exit:
    """The recorded exit for a line of LINES."""
    fields: dict[str, Any] = {**LINES[name][1], **changes}
    fields["instruction"] = bytes.fromhex(fields.get("instruction", ""))
    return make_exit(fields.pop("reason"), **fields)


def trace(*lines: str, end: str = "EXIT_UNHANDLED") -> ExpectedGuest:
    text = "\n".join(["[sample]", 'section "A Section"', *lines, f"end {end}"])
    return parse_trace(text, PATH).guests["sample"]


def differences(
    line: str, exit: Exit, guest: Guest, circumstances: Circumstances = NOTHING_KNOWN
) -> list[tuple[str, str]]:
    """Kind and field of each difference of one exit, without those between trace and head."""
    found = compare(trace(line), [exit], make_end("EXIT_UNHANDLED", 1), guest, circumstances)
    return [(item.kind, item.field) for item in found if item.field != "head"]


# Reading


def test_a_file() -> None:
    text = """# what this file is about
[sample]
section "One"   # a remark
section "Two"
# the first
CPUID   first      `cpuid`  length=2   # leaf 1

CPUID   first+0x4  `cpuid`  length=_(nobody knows)
end EXIT_PORT

[sample.fails]
section "Three"
VMFAIL ENTRY_BAD_CONTROL_FIELD
end VMFAIL
"""
    read = parse_trace(text, PATH)
    assert read.preamble == ("# what this file is about",)
    assert list(read.guests) == ["sample", "sample.fails"]
    sample = read.guests["sample"]
    assert sample.sections == ("One", "Two") and sample.outcome.name == "EXIT_PORT"
    first, second = sample.exits
    assert (first.line, first.comments, first.remark) == (6, ("# the first",), "# leaf 1")
    assert second.location == "first+0x4" and second.fields["length"].is_open
    failing = read.guests["sample.fails"]
    assert failing.vmfail is not None and failing.vmfail.number == 7
    assert stray_guests(read, ["sample"]) == ["sample.fails"]


@pytest.mark.parametrize("name", LINES)
def test_every_sample_line_is_accepted_and_agrees(name: str, guest: Guest) -> None:
    assert differences(LINES[name][0], recorded(name), guest) == []


@pytest.mark.parametrize("name", LINES)
def test_a_defined_field_that_is_not_named_is_an_error_of_the_trace(name: str) -> None:
    line = LINES[name][0]
    for field in (
        "length",
        "qualification",
        "instruction_information",
        "guest_linear_address",
        "error_code",
        "interruption",
    ):
        start = line.find(f" {field}=")
        if start < 0 or (name == "string" and field == "guest_linear_address"):
            continue  # the latter depends on the segment, which the trace does not say
        end = (
            line.find("}", start) + 1
            if line[start:].startswith(f" {field}={{")
            else line.find(" ", start + 1)
        )
        shorter = line[:start] + (line[end:] if end > 0 else "")
        with pytest.raises(TraceError, match="defined"):
            trace(shorter)


@pytest.mark.parametrize(
    "line, message",
    [
        ("CPUIDX first `cpuid` length=2", 'no exit reason "CPUIDX"'),
        ("CPUID first length=2", "an exit's line is"),
        ("CPUID `cpuid` length=2", "an exit's line is"),
        ("CPUID first `cpuid` length", "fields are written name=value"),
        ("CPUID first `cpuid` length=two", "length is a number"),
        ("CPUID first `cpuid` length={2}", "length"),
        ("CPUID first `cpuid` length=2 length=2", "length stands twice"),
        ("CPUID first `cpuid` length=_", "_ needs the reason"),
        ("CPUID first `cpuid` length=_()", "_ needs the reason"),
        ("CPUID first _(why not) length=2", "its disassembly cannot be _"),
        ("CPUID first `cpuid", "cannot be read from here on: `cpuid"),
        ("CPUID first `cpuid` length=2 qualification={}", "does not define qualification"),
        ("CPUID first `cpuid` length=2 guest_linear_address=1", "does not define guest_linear_address"),
        ("CPUID first `cpuid` length=2 color=1", 'no field "color"'),
        ("CPUID first `cpuid` length=2 rip=1", 'no field "rip"'),
        ("CPUID first `cpuid` length=2 interruption_information=1", "is called interruption in traces"),
        ("CPUID first `cpuid` length=2 rax={1}", "rax is a number"),
        ("CPUID first `cpuid` length=2 rax=0x10000000000000000", "64 bits"),
        ("CPUID first `cpuid` length=2 rax=-1", "rax cannot be negative: -1"),
        ("CPUID first `cpuid` length=2 flags={shiny}", 'no part "shiny"'),
        ("CR_ACCESS first `clts` length=2 qualification=0x20", "written by its parts"),
        (
            "CR_ACCESS first `clts` length=2 qualification={control_register=CR0 access=clts register=RAX}",
            "register is not defined here",
        ),
        ("CR_ACCESS first `clts` length=2 qualification={access=clts}", "control_register is defined here"),
        (
            "CR_ACCESS first `x` length=2 qualification={control_register=CR0 access=mov_to_cr}",
            "register is defined here",
        ),
        (
            "CR_ACCESS first `x` length=2 qualification={control_register=CR0 access=move register=RAX}",
            "access is one of mov_to_cr",
        ),
        (
            "CR_ACCESS first `x` length=2 qualification={control_register=CR99 access=clts}",
            "control_register is one of",
        ),
        (
            "CR_ACCESS first `x` length=2 qualification={control_register=CR0 control_register=CR0}",
            "names control_register twice",
        ),
        (
            "CR_ACCESS first `x` length=2 qualification={control_register access=clts}",
            "control_register needs its value",
        ),
        ("EPT_VIOLATION first `x` qualification={read=1} guest_physical_address=1", "read is a flag"),
        (
            "EPT_VIOLATION first `x` qualification={read, write} guest_physical_address=1",
            "cannot be read from here on",
        ),
        (
            "EPT_VIOLATION first `x` qualification={user_linear} guest_physical_address=1",
            'no part "user_linear"',
        ),
        (
            "EPT_VIOLATION first `x` qualification={read translation} guest_physical_address=1",
            "translation is not defined",
        ),
        (
            "EPT_VIOLATION first `x` qualification={read} guest_linear_address=1 guest_physical_address=1",
            "guest_linear_address is not defined",
        ),
        ("EXCEPTION_NMI first `x` interruption={vector=#ZZ type=hardware_exception}", "vector"),
        ("EXCEPTION_NMI first `x` interruption={valid}", 'no part "valid"'),
        (
            "EXCEPTION_NMI first `x` interruption={vector=#UD type=hardware_exception} length=2",
            "does not define length",
        ),
        (
            "EXCEPTION_NMI first `x` interruption={vector=#GP type=hardware_exception error_code}",
            "error_code is defined",
        ),
        ("EXCEPTION_NMI first `x` interruption=_(open) qualification={address=1}", "no known format"),
        ("VMFAIL NOTHING", "names one error"),
        ("section A Section", "a section line is"),
    ],
)
def test_what_a_trace_must_not_say(line: str, message: str) -> None:
    with pytest.raises(TraceError) as error:
        trace(line)
    assert message in str(error.value) and "sample.trace:3:" in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("CPUID first `cpuid` length=2", "sample.trace:1: stands before the first guest"),
        ("[other]", "sample.trace:1: .other. is not a guest of sample"),
        ('[sample]\nsection "x"\nend HALTED', "needs a line for the exit"),
        ('[sample]\nsection "x"', "has no end line"),
        ("[sample]\nend EXIT_PORT", "cites no SDM section"),
        ('[sample]\nsection "x"\nend', "an end line is: end OUTCOME"),
        ('[sample]\nsection "x"\nend SKIPPED', "an end line is: end OUTCOME"),
        ('[sample]\nsection "x"\nend VMFAIL', "belong together"),
        ('[sample]\nsection "x"\nVMFAIL VMCALL_IN_ROOT\nend EXIT_PORT', "belong together"),
        ('[sample]\nsection "x"\nend EXIT_PORT\nend EXIT_PORT', "stands after the guest's end line"),
        ('[sample]\nsection "x"\nend EXIT_PORT\n[sample]', "stands twice"),
    ],
)
def test_what_a_file_must_not_be(text: str, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        parse_trace(text, PATH)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = trace_path(tmp_path, "sample.variant")
    assert path == tmp_path / "sample.trace"
    with pytest.raises(TraceError, match="cannot be read"):
        load_trace(path)
    path.write_bytes(b"[sample]\xff")
    with pytest.raises(TraceError, match="not UTF-8"):
        load_trace(path)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=12))
def test_no_text_at_all_raises_anything_but_a_trace_error(pieces: list[str]) -> None:
    for text in ("".join(pieces), f"[sample]\n{' '.join(pieces)}"):
        try:
            parse_trace(text, PATH)
        except TraceError as error:
            assert str(error).startswith("sample.trace:")


# Comparing


def defined_bits(name: str) -> list[tuple[str, int]]:
    """Every bit of every field that the line of LINES says something about: attribute and mask."""
    bits = []
    line, values = LINES[name]
    for attribute, value in values.items():
        if attribute in ("reason", "instruction", "registers", "next"):
            continue
        width = 32 if "information" in attribute or attribute == "activity_state" else 64
        bits += [(attribute, 1 << bit) for bit in range(width)]
    if "qualification" not in values:
        bits += [("qualification", 1 << bit) for bit in range(64)]
    return bits


UNDEFINED = {
    # SDM: bits that are undefined, with the conditions of these very exits. Without the controls, "NMI
    # unblocking" (bit 12) counts as defined, but not while an event is delivered.
    "ept": {
        "qualification": sum(row.mask for row in fields_by_name("EPT_VIOLATION").values() if row.undefined)
        & ~(1 << 12)
    },
    "delivery": {
        "qualification": sum(row.mask for row in fields_by_name("EPT_VIOLATION").values() if row.undefined),
        "idt_vectoring_information": 1 << 12,
    },
    "string": {
        "instruction_information": sum(
            row.mask for row in fields_by_name("INS_OUTS").values() if row.undefined
        )
    },
}


@pytest.mark.parametrize("name", LINES)
def test_every_flipped_bit_of_a_defined_field_is_noticed(name: str, guest: Guest) -> None:
    line = LINES[name][0]
    for attribute, mask in defined_bits(name):
        value = recorded(name).item.get(KEYS[attribute], 0)
        assert isinstance(value, int)
        found = differences(line, recorded(name, **{attribute: value ^ mask}), guest)
        undefined = UNDEFINED.get(name, {}).get(attribute, 0) & mask
        assert bool(found) != bool(undefined), (attribute, hex(mask), found)
        assert all(kind == "field" for kind, _ in found), found


KEYS = {row.name: key for key, row in TABLES.record_fields["EXIT"].items()}


@pytest.mark.parametrize("name", LINES)
def test_a_field_that_the_record_lacks_is_noticed(name: str, guest: Guest) -> None:
    for attribute in LINES[name][1]:
        if attribute in ("reason", "instruction", "qualification"):
            continue
        exit = recorded(name)
        del exit.item[KEYS[attribute]]
        found = differences(LINES[name][0], exit, guest)
        if recorded(name).item[KEYS[attribute]] or attribute == "interruption_error_code":
            assert found, attribute


@pytest.mark.parametrize(
    "name, changes, fields",
    [
        ("cr", {"qualification": 0x300}, ["qualification.register"]),
        ("cr", {"qualification": 0x1000}, ["qualification.reserved"]),
        ("cr", {"rip": 0x8002}, ["location"]),
        ("cr", {"instruction": "0f22d8"}, ["disassembly"]),
        ("cr", {"reason": "CPUID"}, ["reason"]),
        ("cr", {"reason": 1 << 26 | 28}, ["flags"]),
        ("io", {"qualification": 0x800041}, ["qualification.size"]),
        ("io", {"qualification": 0x800060}, ["qualification.rep"]),
        ("ept", {"qualification": 0x183}, ["qualification.write"]),
        ("ept", {"idt_vectoring_information": VALID | 0x306}, ["idt_vectoring"]),
        ("page fault", {"interruption_information": VALID | 0xB0D}, ["interruption.vector"]),
        ("page fault", {"interruption_error_code": 4}, ["error_code"]),
        ("cpuid", {"qualification": 1}, ["qualification"]),
        ("interrupt", {"registers": {0: 1}}, ["rax"]),
        ("interrupt", {"registers": {}}, ["rax"]),
        ("interrupt", {"activity_state": 0}, ["activity_state.state"]),
        ("interrupt", {"next": 0}, ["next"]),
        ("interrupt", {"reason": 1}, ["flags"]),
        ("entry failure", {"reason": 33}, ["flags"]),
    ],
)
def test_a_difference_names_the_field(
    name: str, changes: dict[str, Any], fields: list[str], guest: Guest
) -> None:
    assert [field for _, field in differences(LINES[name][0], recorded(name, **changes), guest)] == fields


def test_nmi_unblocking_is_checked_where_the_controls_define_it(guest: Guest) -> None:
    line, exit = LINES["ept"][0], recorded("ept", qualification=0x1181)
    nmi_exiting, virtual_nmis = 1 << 3, 1 << 5
    assert differences(line, exit, guest, Circumstances(controls={0: nmi_exiting})) == []
    for controls in (0, nmi_exiting | virtual_nmis):
        found = differences(line, exit, guest, Circumstances(controls={0: controls}))
        assert found == [("field", "qualification.nmi_unblocking")]


def table_access(displacement: int, address_size: int) -> tuple[str, Exit]:
    """A line for an LGDT with a base register, and an exit whose displacement is the same within its size."""
    encoded = {16: 0, 32: 1, 64: 2}[address_size]
    line = (
        f"GDTR_IDTR_ACCESS first `lgdt [rbx]` length=3 qualification={{displacement={displacement:#x}}}"
        f" instruction_information={{address_size={address_size} segment=DS no_index base=RBX"
        " instruction=lgdt}"
    )
    exit = make_exit(
        "GDTR_IDTR_ACCESS",
        instruction=bytes.fromhex("0f0113"),
        instruction_length=3,
        qualification=displacement,
        instruction_information=2 << 28 | 3 << 23 | 1 << 22 | 3 << 15 | encoded << 7,
    )
    return line, exit


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_displacement_is_compared_within_the_address_size(size: int, guest: Guest) -> None:
    line, exit = table_access(4, size)
    key = KEYS["qualification"]
    for bit in range(64):
        exit.item[key] = 4 ^ 1 << bit
        wanted = [("field", "qualification.displacement")] if bit < size else []
        assert differences(line, exit, guest) == wanted, bit


def test_a_displacement_beyond_the_address_size_is_an_error_of_the_trace() -> None:
    with pytest.raises(TraceError, match="beyond the address size"):
        trace(table_access(0xFFFF_FFFF_FFFF_FFF8, 32)[0])


def test_a_state_that_no_line_names_must_be_zero(guest: Guest) -> None:
    line = LINES["cpuid"][0]
    assert differences(line, recorded("cpuid", activity_state=1), guest) == [("field", "activity_state")]
    blocked = recorded("cpuid", interruptibility_state=8)
    assert differences(line, blocked, guest) == [("field", "interruptibility_state")]
    assert differences(f"{line} interruptibility_state={{blocking_by_nmi}}", blocked, guest) == []
    written = " ".join(columns(blocked, guest, None, NOTHING_KNOWN))
    assert written.endswith("length=2 interruptibility_state={blocking_by_nmi}")
    # A VM-entry failure saves no state.
    failure = recorded("entry failure", interruptibility_state=8)
    assert differences(LINES["entry failure"][0], failure, guest) == []


def test_the_state_at_the_exit_port(guest: Guest) -> None:
    exits, end = run()
    exits[2].item[KEYS["interruptibility_state"]] = 8
    (found,) = compare(sample_trace(), exits, end, guest)
    assert (found.exit, found.field) == (2, "interruptibility_state")
    text = bless(None, [Run(guest, exits, end)])
    assert text.endswith("end EXIT_PORT interruptibility_state={blocking_by_nmi}\n")
    assert compare(parse_trace(text, PATH).guests["sample"], exits, end, guest) == []
    with pytest.raises(TraceError, match="only EXIT_PORT has a state"):
        trace(LINES["cpuid"][0], end="EXIT_PORT rflags=0x2")


def test_what_is_left_open_is_not_checked(guest: Guest) -> None:
    line = (
        LINES["cr"][0].replace("register=RAX", "register=_(any will do)").replace("length=3", "length=_(any)")
    )
    assert differences(line, recorded("cr", qualification=0x500, instruction_length=9), guest) == []
    assert differences(line, recorded("cr", qualification=0x503), guest) == [
        ("field", "qualification.control_register")
    ]
    flag = LINES["ept"][0].replace("translation", "translation=_(either)")
    for qualification in (0x181, 0x081):
        assert differences(flag, recorded("ept", qualification=qualification), guest) == []


def test_what_an_open_field_decides_is_decided_by_the_record(guest: Guest) -> None:
    line = "EPT_VIOLATION first `mov al, byte ptr [0x100000]` qualification=_(open)"
    line += " guest_physical_address=0x100000"
    assert differences(line, recorded("ept", qualification=1), guest) == []
    assert differences(line, recorded("ept"), guest) == [("trace", "guest_linear_address")]


def test_string_information_is_only_expected_where_the_processor_gives_it(guest: Guest) -> None:
    line = LINES["string"][0]
    exit = recorded("string")
    assert differences(line, exit, guest, Circumstances({0x480: 1 << 54})) == []
    del exit.item[KEYS["instruction_information"]]
    assert differences(line, exit, guest, Circumstances({0x480: 1 << 54})) == [
        ("field", "instruction_information")
    ]
    assert differences(line, exit, guest, Circumstances({0x480: 0})) == []


def test_the_linear_address_of_a_string_depends_on_the_record(guest: Guest) -> None:
    """The kernel leaves it out where the segment is unusable."""
    with_address = LINES["string"][0]
    without = with_address.replace(" guest_linear_address=0x30000", "")
    exit = recorded("string")
    assert differences(without, exit, guest) == [("trace", "guest_linear_address")]
    del exit.item[KEYS["guest_linear_address"]]
    assert differences(without, exit, guest) == []
    assert differences(with_address, exit, guest) == [("trace", "guest_linear_address")]


def test_a_label_that_the_guest_lacks_is_an_error_of_the_trace(guest: Guest) -> None:
    line = LINES["cpuid"][0].replace("first", "nowhere")
    assert differences(line, recorded("cpuid"), guest) == [("trace", "location")]


def run() -> tuple[list[Exit], GuestEnd]:
    """What the guest SAMPLE does when all is well."""
    exits = [
        recorded("cpuid"),
        recorded("cr", rip=0x8002),
        exit_port(0x800D, 2),
    ]
    return exits, make_end("EXIT_PORT", 3)


def sample_trace() -> ExpectedGuest:
    return trace(LINES["cpuid"][0], LINES["cr"][0].replace("first", "second"), end="EXIT_PORT")


def kinds(found: list[Difference]) -> list[str]:
    return [item.kind for item in found]


def test_a_whole_run(guest: Guest) -> None:
    exits, end = run()
    assert compare(sample_trace(), exits, end, guest) == []


def test_a_missing_exit(guest: Guest) -> None:
    exits, end = run()
    (found,) = compare(sample_trace(), [exits[0], exits[2]], end, guest)
    assert (found.kind, found.line) == ("missing", 4) and found.expected.startswith("CR_ACCESS second")


def test_an_extra_exit(guest: Guest) -> None:
    exits, end = run()
    (found,) = compare(sample_trace(), [exits[0], exits[0], *exits[1:]], end, guest)
    assert found.kind == "extra" and found.actual == "CPUID first `cpuid` length=2"


def test_exits_in_the_wrong_order(guest: Guest) -> None:
    exits, end = run()
    (found,) = compare(sample_trace(), [exits[1], exits[0], exits[2]], end, guest)
    assert found.kind == "order"


def test_a_handler_that_does_not_advance(guest: Guest) -> None:
    exits, _ = run()
    found = compare(sample_trace(), exits[:1] * 50, make_end("WATCHDOG_EXITS", 50), guest)
    assert kinds(found).count("extra") == 48 and found[-1].actual == "WATCHDOG_EXITS"


def test_a_guest_that_runs_away_is_told_in_short(guest: Guest) -> None:
    exits, _ = run()
    found = compare(sample_trace(), exits[:1] * 5000, make_end("WATCHDOG_EXITS", 5000), guest)
    assert len(found) <= DIFFERENCE_LIMIT + 2 and found[-1].actual == "WATCHDOG_EXITS"


def test_another_end(guest: Guest) -> None:
    exits, _ = run()
    (found,) = compare(sample_trace(), exits[:2], make_end("HALTED", 2), guest)
    assert (found.kind, found.expected, found.actual) == ("outcome", "EXIT_PORT", "HALTED")
    (found,) = compare(sample_trace(), exits[:2], None, guest)
    assert found.actual == "no end was recorded"
    (found,) = compare(sample_trace(), [], make_end("SKIPPED", 0, detail="no EPT"), guest)[2:]
    assert found.actual == "SKIPPED (no EPT)"


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"instruction_length": 1}, "length"),
        ({"qualification": 0x604 << 16 | 3}, "qualification.size"),
        ({"qualification": 0x604 << 16 | 1 | 1 << 12}, "qualification.reserved"),
        ({"reason": 1 << 27 | 30}, "flags"),
        ({"idt_vectoring_information": VALID | 0x20}, "idt_vectoring"),
        ({"next": 0}, "next"),
        ({"instruction": b"\xef"}, "disassembly"),
    ],
)
def test_the_exit_port_s_exit_is_held_to_the_same(changes: dict[str, Any], field: str, guest: Guest) -> None:
    exits, end = run()
    exits[2] = Exit(exits[2].item | {KEYS[name]: value for name, value in changes.items()})
    assert field in [item.field for item in compare(sample_trace(), exits, end, guest)]


def test_vm_entry_that_fails(guest: Guest) -> None:
    expected = trace("VMFAIL ENTRY_BAD_CONTROL_FIELD", end="VMFAIL")
    assert [
        item.field for item in compare(expected, [], make_end("VMFAIL", 0, instruction_error=8), guest)
    ] == ["vmfail"]


def test_the_trace_and_the_head_must_agree(guest: Guest) -> None:
    exits, end = run()
    expected = trace(LINES["cpuid"][0], end="EXIT_PORT")
    (found,) = compare(expected, [exits[0], exits[2]], end, guest)
    assert (found.kind, found.actual) == ("trace", "the guest's head says CR_ACCESS second")


# Writing


def test_what_is_blessed_is_a_trace_that_passes(guest: Guest) -> None:
    exits, end = run()
    text = bless(None, [Run(guest, exits, end)])
    assert text == (
        "[sample]\n"
        'section "Instructions That Cause VM Exits Unconditionally"\n'
        "CPUID      first   `cpuid`         length=2\n"
        "CR_ACCESS  second  `mov cr0, rax`  length=3"
        " qualification={control_register=CR0 access=mov_to_cr register=RAX}\n"
        "end EXIT_PORT\n"
    )
    assert bless(parse_trace(text, PATH), [Run(guest, exits, end)]) == text


@pytest.mark.parametrize("name", LINES)
def test_every_sample_line_is_written_as_it_reads(name: str, guest: Guest) -> None:
    line = LINES[name][0]
    expected = trace(line).exits[0]
    written = " ".join(columns(recorded(name), guest, expected, NOTHING_KNOWN))
    assert parts(written) == parts(line)


def parts(line: str) -> set[str]:
    """A line's fields, whatever their order."""
    return set(re.findall(r"\S+=\{[^}]*\}|\S+=_\([^)]*\)|`[^`]*`|_\([^)]*\)|\S+", line))


def test_blessing_keeps_what_the_author_wrote(guest: Guest) -> None:
    exits, end = run()
    existing = parse_trace(
        """# about this file

[sample]
section "The Author's Choice"
# why leaf 1
CPUID first `cpuid` length=_(prefixes) rax=0x0  # a remark
CR_ACCESS second `mov cr0, rax` length=9 qualification={control_register=CR3 access=mov_to_cr register=_(any)}
# the last word
end EXIT_PORT

[sample.other]
section "Untouched"
VMFAIL   VMCALL_IN_ROOT
end VMFAIL
""",
        PATH,
    )
    assert bless(existing, [Run(guest, exits, end)]).splitlines() == [
        "# about this file",
        "",
        "[sample]",
        'section "The Author\'s Choice"',
        "# why leaf 1",
        "CPUID      first   `cpuid`         length=_(prefixes) rax=0x0  # a remark",
        "CR_ACCESS  second  `mov cr0, rax`  length=3"
        " qualification={control_register=CR0 access=mov_to_cr register=_(any)}",
        "# the last word",
        "end EXIT_PORT",
        "",
        "[sample.other]",
        'section "Untouched"',
        "VMFAIL   VMCALL_IN_ROOT",
        "end VMFAIL",
    ]


def test_blessing_refuses_what_the_head_does_not_declare(guest: Guest) -> None:
    exits, end = run()
    with pytest.raises(BlessError) as error:
        bless(None, [Run(guest, [exits[1], exits[0], exits[2]], end)])
    assert "-> exit 0: EXPECT CPUID, first; came CR_ACCESS, second" in str(error.value)
    with pytest.raises(BlessError, match="exit 1: EXPECT CR_ACCESS, second; came nothing"):
        bless(None, [Run(guest, [exits[0], exits[2]], end)])
    for ending in (None, make_end("SKIPPED", 0, detail="no EPT")):
        with pytest.raises(BlessError, match="nothing to bless"):
            bless(None, [Run(guest, exits, ending)])


def test_blessing_refuses_what_the_architecture_does_not_allow(guest: Guest) -> None:
    exits, end = run()
    exits[1] = recorded("cr", rip=0x8002, qualification=1 << 12)
    with pytest.raises(BlessError, match="reserved"):
        bless(None, [Run(guest, exits, end)])
    exits[1] = recorded("cr", rip=0x8002)
    exits[0] = recorded("cpuid", qualification=1)
    with pytest.raises(BlessError, match="qualification"):
        bless(None, [Run(guest, exits, end)])


def test_blessing_a_failed_entry(tmp_path: Path) -> None:
    source = """
	GUEST fails
	MODE LONG64
	REASON ENTRY_FAIL_GUEST_STATE
	SECTION "Checks on VMX Controls"
	EXPECT_VMFAIL ENTRY_BAD_CONTROL_FIELD
	CODE
	hlt
"""
    (guest,) = load_file(assemble(tmp_path, "fails", source))
    text = bless(None, [Run(guest, [], make_end("VMFAIL", 0, instruction_error=7))])
    assert text == '[fails]\nsection "Checks on VMX Controls"\nVMFAIL ENTRY_BAD_CONTROL_FIELD\nend VMFAIL\n'
    with pytest.raises(BlessError, match="EXPECT_VMFAIL ENTRY_BAD_CONTROL_FIELD, but the guest ended HALTED"):
        bless(None, [Run(guest, [recorded("cpuid")], make_end("HALTED", 1))])
