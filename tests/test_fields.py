"""harness.fields: every format of exit_fields.def in words, and which fields an exit has."""

from __future__ import annotations

from typing import Any

import pytest

from harness import fields
from harness.fields import (
    Bits,
    Circumstances,
    Context,
    Facts,
    decode,
    definitions,
    exit_details,
    render,
    reserved_bits,
)
from harness.tables import TABLES
from tests.samples import make_begin, make_exit

VALID = 1 << 31


@pytest.mark.parametrize(
    "format_name, value, text",
    [
        ("CR_ACCESS", 0x0, "control_register=CR0 access=mov_to_cr register=RAX"),
        ("CR_ACCESS", 0xF18, "control_register=CR8 access=mov_from_cr register=R15"),
        ("CR_ACCESS", 0x20, "control_register=CR0 access=clts"),
        (
            "CR_ACCESS",
            0x12340030,
            "control_register=CR0 access=lmsw lmsw_operand=register lmsw_source=0x1234",
        ),
        ("CR_ACCESS", 0x70, "control_register=CR0 access=lmsw lmsw_operand=memory lmsw_source=0x0"),
        ("CR_ACCESS", 0x120, "control_register=CR0 access=clts reserved=0x100"),
        ("CR_ACCESS", 0x2, "control_register=2 access=mov_to_cr register=RAX"),
        ("DR_ACCESS", 0x317, "debug_register=DR7 direction=mov_from_dr register=RBX"),
        ("IO_INSTRUCTION", 0x00800040, "size=1 direction=out operand=immediate port=0x80"),
        ("IO_INSTRUCTION", 0x0CF8003B, "size=4 direction=in string rep operand=dx port=0xcf8"),
        ("IO_INSTRUCTION", 0x2, "size=2 direction=out operand=dx port=0x0"),
        ("EPT_VIOLATION", 0x181, "read linear_valid translation"),
        ("EPT_VIOLATION", 0x03A, "write readable writable executable"),
        ("EPT_VIOLATION", 0x101, "read reserved=0x100"),
        ("EPT_VIOLATION", 0xE81, "read linear_valid"),
        ("DEBUG", 0x4001, "B0 BS"),
        ("ENTRY_FAILURE", 0, "cause=guest_state"),
        ("ENTRY_FAILURE", 9, "cause=9"),
        ("LINEAR_ADDRESS", 0x800000, "address=0x800000"),
        ("INTERRUPTION", VALID | 0x306, "vector=#UD type=hardware_exception"),
        ("INTERRUPTION", VALID | 0xB0E, "vector=#PF type=hardware_exception error_code"),
        ("INTERRUPTION", VALID | 0x603, "vector=#BP type=software_exception"),
        ("INTERRUPTION", VALID | 0x501, "vector=#DB type=privileged_software_exception"),
        ("INTERRUPTION", VALID | 0x202, "vector=2 type=nmi"),
        ("INTERRUPTION", VALID | 0x20, "vector=32 type=external_interrupt"),
        ("INTERRUPTION", VALID | 0x2306, "vector=#UD type=hardware_exception reserved=0x2000"),
        ("INTERRUPTION", 0x20, ""),
        # Bit 12 is undefined in the IDT-vectoring information.
        ("IDT_VECTORING", VALID | 0x130D, "vector=#GP type=hardware_exception"),
        ("ACTIVITY_STATE", 1, "state=hlt"),
        ("INTERRUPTIBILITY", 9, "blocking_by_sti blocking_by_nmi"),
        ("RDRAND_RDSEED", 0x1018, "register=RBX operand_size=64"),
        ("LOADIWKEY", 0x10000018, "register1=XMM3 register2=XMM1"),
        # The scale is undefined without an index register.
        ("VMX_MEMORY", 0x02418101, "address_size=64 segment=DS no_index base=RSP"),
    ],
)
def test_formats(format_name: str, value: int, text: str) -> None:
    assert render(format_name, value) == text


def test_conditions_that_look_at_the_exit() -> None:
    assert render("INS_OUTS", 0x18100, Context(outs=True)) == "address_size=64 segment=DS"
    assert render("INS_OUTS", 0x18100, Context(outs=False)) == "address_size=64"
    assert "operand_size=32" in render("GDTR_IDTR", 0x800, Context(is_64_bit=False))
    assert "operand_size" not in render("GDTR_IDTR", 0x800, Context(is_64_bit=True))


def test_no_value_of_any_format_raises_and_every_bit_is_something() -> None:
    """Each bit of a field is a part, reserved, or undefined."""
    for format_name in TABLES.formats:
        for bit in range(64):
            value = 1 << bit
            parts = decode(format_name, value)
            loose = 0
            for row in TABLES.formats[format_name]:
                if row.undefined or row.conditions or row.name == "valid":
                    loose |= row.mask
            shown = any(part.value for part in parts)
            assert shown or loose & value, (format_name, bit)


def test_reserved_bits() -> None:
    assert reserved_bits("EPT_VIOLATION", 1 << 20) == 1 << 20
    assert reserved_bits("INS_OUTS", 0xFFFFFFFF) == 0
    assert reserved_bits("IDT_VECTORING", VALID | 1 << 20) == 1 << 20
    assert reserved_bits("IDT_VECTORING", 1 << 20) == 0, "undefined where the valid bit is clear"


def test_numbers_without_a_name_stay_numbers() -> None:
    assert fields.reason_name(10) == "CPUID"
    assert fields.reason_name(35) == "35"
    assert fields.exception_name(9) == "9"
    assert fields.exception_name(200) == "200"
    assert fields.exception_vector("#VE") == 20
    assert str(fields.reason_flags(VALID | 1 << 29 | 33)[-1]) == "entry_failure"


def test_values_are_read_back() -> None:
    register = fields.fields_by_name("CR_ACCESS")["register"]
    assert fields.parse_value(register, "R9") == 9
    assert fields.parse_value(register, "9") == 9
    with pytest.raises(ValueError, match="one of RAX, RCX"):
        fields.parse_value(register, "RIP")
    with pytest.raises(ValueError, match="4 bits"):
        fields.parse_value(register, "16")


def test_controls() -> None:
    assert fields.control_names("PRIMARY", 1 << 7 | 1 << 1) == ["HLT_EXITING", "unnamed=0x2"]
    in_force = fields.controls_in_force(make_begin("x", exception_bitmap=1))
    assert in_force["PIN"] == ["EXTERNAL_INTERRUPT_EXITING"] and in_force["EXIT"] == []


def defined(reason: str, facts: Facts) -> set[str]:
    rows = definitions(TABLES.exit_reason_named[reason], facts)
    assert all(row.defined is not None for row in rows.values()), rows
    return {name for name, row in rows.items() if row.defined}


IO = 0x0080_0000


@pytest.mark.parametrize(
    "reason, qualification, interruption, vectoring, names",
    [
        ("CPUID", 0, 0, 0, "length"),
        ("HLT", 0, 0, 0, "length"),
        ("TRIPLE_FAULT", 0, 0, 0, ""),
        ("PREEMPTION_TIMER", 0, 0, 0, ""),
        ("EXTERNAL_INTERRUPT", 0, VALID | 0x20, 0, "interruption"),
        ("EXCEPTION_NMI", 0, VALID | 0x306, 0, "interruption"),
        ("EXCEPTION_NMI", 0, VALID | 0xB0D, 0, "interruption error_code"),
        ("EXCEPTION_NMI", 0, VALID | 0xB0E, 0, "interruption error_code qualification"),
        ("EXCEPTION_NMI", 0, VALID | 0x301, 0, "interruption qualification"),
        ("EXCEPTION_NMI", 0, VALID | 0x603, 0, "interruption length"),
        ("EXCEPTION_NMI", 0, VALID | 0x202, 0, "interruption"),
        ("EXCEPTION_NMI", 0, VALID | 0xB0D, VALID | 0x480, "interruption error_code idt_vectoring length"),
        ("EPT_VIOLATION", 0x181, 0, 0, "qualification guest_linear_address guest_physical_address"),
        ("EPT_VIOLATION", 0x1, 0, 0, "qualification guest_physical_address"),
        ("EPT_VIOLATION", 0x1, 0, VALID | 0x306, "qualification guest_physical_address idt_vectoring"),
        (
            "EPT_VIOLATION",
            0x1,
            0,
            VALID | 0xB0E,
            "qualification guest_physical_address idt_vectoring idt_error_code",
        ),
        ("IO_INSTRUCTION", IO, 0, 0, "qualification length"),
        (
            "IO_INSTRUCTION",
            IO | 0x10,
            0,
            0,
            "qualification length instruction_information guest_linear_address",
        ),
        ("CR_ACCESS", 0x0, 0, 0, "qualification length"),
        ("CR_ACCESS", 0x30, 0, 0, "qualification length"),
        ("CR_ACCESS", 0x70, 0, 0, "qualification length guest_linear_address"),
        ("TASK_SWITCH", 0x4000_0008, 0, 0, "qualification length"),
        ("TASK_SWITCH", 0xC000_0008, 0, VALID | 0x306, "qualification idt_vectoring"),
        ("TASK_SWITCH", 0xC000_0008, 0, VALID | 0x440, "qualification idt_vectoring length"),
        ("APIC_ACCESS", 0x80, 0, 0, "qualification"),
        ("APIC_ACCESS", 0x3080, 0, VALID | 0x306, "qualification idt_vectoring"),
        ("APIC_ACCESS", 0x3080, 0, VALID | 0x440, "qualification idt_vectoring length"),
        ("APIC_ACCESS", 0xA000, 0, VALID | 0x440, "qualification idt_vectoring"),
        ("IO_SMI", IO, 0, 0, "qualification"),
        ("IO_SMI", IO | 0x10, 0, 0, "qualification guest_linear_address"),
        ("ENTRY_FAIL_GUEST_STATE", 0, 0, 0, "qualification"),
        ("RDRAND", 0, 0, 0, "length instruction_information"),
        ("ENQCMD_PASID", 0, 0, 0, "length"),
    ],
)
def test_which_fields_an_exit_has(
    reason: str, qualification: int, interruption: int, vectoring: int, names: str
) -> None:
    facts = Facts(Bits(qualification), Bits(interruption), Bits(vectoring))
    assert defined(reason, facts) == set(names.split())


NMI_EXITING, VIRTUAL_NMIS = 1 << 3, 1 << 5
UNBLOCKING = 1 << 12


@pytest.mark.parametrize(
    "controls, interruption, vectoring, shown",
    [
        (0, VALID | 0xB0D, 0, True),
        (NMI_EXITING | VIRTUAL_NMIS, VALID | 0xB0D, 0, True),
        (NMI_EXITING, VALID | 0xB0D, 0, False),
        (0, VALID | 0xB0D, VALID | 0x306, False),
        (0, VALID | 0xB08, 0, False),
    ],
)
def test_where_nmi_unblocking_is_defined(
    controls: int, interruption: int, vectoring: int, shown: bool
) -> None:
    """SDM, "Information for VM Exits Due to Vectored Events"."""
    exit = make_exit(
        "EXCEPTION_NMI",
        interruption_information=interruption | UNBLOCKING,
        interruption_error_code=0,
        **({"idt_vectoring_information": vectoring} if vectoring else {}),
    )
    (text,) = (
        str(item)
        for item in exit_details(exit, Circumstances(controls={0: controls}))
        if item.name == "interruption"
    )
    assert ("nmi_unblocking" in text) == shown and "reserved" not in text


def test_nmi_unblocking_in_qualifications() -> None:
    for format_name in ("EPT_VIOLATION", "NOTIFY", "PML_FULL", "SPP_EVENT"):
        defined_here = Context(nmi_unblocking_defined=True)
        undefined_here = Context(nmi_unblocking_defined=False)
        assert render(format_name, UNBLOCKING, defined_here) == "nmi_unblocking"
        assert render(format_name, UNBLOCKING, undefined_here) == ""
    assert render("PML_FULL", 0xFFFF_FFFF) == "nmi_unblocking asynchronous"


def test_a_displacement_ends_with_the_address_size() -> None:
    for size, text in ((16, "0xfff8"), (32, "0xfffffff8"), (64, "0xfffffffffffffff8")):
        shown = render("DISPLACEMENT", 0xFFFF_FFFF_FFFF_FFF8, Context(address_size=size))
        assert shown == f"displacement={text}"
    exit = make_exit(
        "GDTR_IDTR_ACCESS",
        instruction_length=4,
        qualification=0xABCD_0004,
        instruction_information=0x400000,
    )
    assert "qualification={displacement=0x4}" in map(str, exit_details(exit))


def test_string_information_needs_the_capability() -> None:
    exit = make_exit("IO_INSTRUCTION", qualification=IO | 0x10, instruction_length=1, guest_linear_address=5)
    assert [item.name for item in exit_details(exit, Circumstances({0x480: 0}))] == [
        "length",
        "qualification",
        "guest_linear_address",
    ]
    assert "instruction_information=missing" in map(str, exit_details(exit, Circumstances({0x480: 1 << 54})))


@pytest.mark.parametrize(
    "reason, values, texts",
    [
        ("CPUID", {"instruction_length": 2}, ["length=2"]),
        ("CPUID", {"instruction_length": 2, "qualification": 5}, ["length=2", "qualification=0x5"]),
        ("CPUID", {}, ["length=missing"]),
        ("CPUID", {"instruction_length": 2, "guest_linear_address": 4}, ["length=2"]),
        (
            "EXCEPTION_NMI",
            {
                "interruption_information": VALID | 0xB0E,
                "interruption_error_code": 6,
                "qualification": 0x800000,
            },
            [
                "qualification={address=0x800000}",
                "interruption={vector=#PF type=hardware_exception error_code}",
                "error_code=0x6",
            ],
        ),
        (1 << 31 | 33, {}, ["flags={entry_failure}", "qualification={cause=guest_state}"]),
        (35, {"qualification": 3, "instruction_length": 2}, ["length=0x2", "qualification=0x3"]),
    ],
)
def test_details_of_an_exit(reason: Any, values: dict[str, int], texts: list[str]) -> None:
    assert list(map(str, exit_details(make_exit(reason, **values)))) == texts
