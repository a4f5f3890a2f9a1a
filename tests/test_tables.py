"""harness.tables reads the kernel's own tables, and refuses a malformed row with the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tables import TABLES, TableError, Tables


def tables(tmp_path: Path, name: str, text: str) -> Tables:
    """Tables of a source folder that holds one file."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Tables(tmp_path)


def test_every_assigned_exit_reason_is_there() -> None:
    unassigned = {35, 38, 42, 71, 82, 83}
    assert set(TABLES.exit_reasons) == set(range(86)) - unassigned
    assert TABLES.exit_reason_named["CR_ACCESS"].number == 28
    assert TABLES.exit_reasons[48].also == {"TRANSLATION_LINEAR", "PHYSICAL", "SOFTWARE_LENGTH"}


def test_every_format_that_a_reason_names_exists() -> None:
    for reason in TABLES.exit_reasons.values():
        assert reason.qualification in {*TABLES.formats, "ZERO", "EXCEPTION"}
        assert reason.instruction_information in {*TABLES.formats, "NONE"}
    assert set(TABLES.qualification_of_vector.values()) <= set(TABLES.formats)


def test_every_condition_names_a_field_of_its_format() -> None:
    for fields in TABLES.formats.values():
        names = {field.name for field in fields}
        for field in fields:
            for condition in field.conditions:
                assert condition.name in names | {"outs", "not_64_bit", "nmi_unblocking_defined"}, field


def test_defined_fields_of_a_format_do_not_overlap() -> None:
    for name, fields in TABLES.formats.items():
        seen = 0
        for field in fields:
            if not field.undefined:
                assert not seen & field.mask, (name, field)
                seen |= field.mask


def test_control_words_are_in_the_order_of_a_guest_begin_record() -> None:
    assert [word.name for word in TABLES.control_words] == [
        "PIN",
        "PRIMARY",
        "SECONDARY",
        "TERTIARY",
        "EXIT",
        "ENTRY",
    ]
    assert TABLES.controls["PRIMARY"][7].title == "HLT exiting"


def test_the_other_tables() -> None:
    assert TABLES.vmcs_fields[0x4816].name == "GUEST_CS_ACCESS_RIGHTS"
    assert TABLES.instruction_errors[7].name == "ENTRY_BAD_CONTROL_FIELD"
    assert TABLES.outcomes[0].name == "EXIT_PORT"
    assert TABLES.stops[3].name == "NO_VMX"
    assert TABLES.modes[5].bits == 64
    assert TABLES.notes[6].layout == (("u32", "reason"), ("u64", "address"))
    assert TABLES.capabilities["STRING_IO_INFORMATION"].bit == 54
    assert TABLES.cpuid_features["XSAVE"].bit == 26
    assert TABLES.layout["GUEST_CODE"] == 0x8000
    assert TABLES.exit_port == 0x604
    assert TABLES.record_kinds[4].name == "EXIT"
    assert TABLES.record_fields["EXIT"][1].name == "sequence"


def test_rows_may_span_lines_and_hold_quotes_and_comments(tmp_path: Path) -> None:
    text = """/* STOP(9, X, "no row") */
#ifdef STOP
STOP(0, DONE,
     "say \\"yes\\", (all)") /* why */
#endif
"""
    assert tables(tmp_path, "stops.def", text).stops[0].meaning == 'say "yes", (all)'


@pytest.mark.parametrize(
    "row, message",
    [
        ("STOP(0, DONE)", "stops.def:3: STOP: has 2 arguments where 3 belong"),
        ('STOP(ZERO, DONE, "x")', "stops.def:3: STOP: argument 1 should be a number"),
        ("STOP(0, DONE, x)", "stops.def:3: STOP: argument 3 should be a string"),
        ('SPOT(0, DONE, "x")', "stops.def:3: SPOT: no such row here"),
        ('STOP(0, DONE, "x"', "stops.def:3: STOP: argument 3 cannot be read"),
        ("hello", "stops.def:3: not a row"),
        ('STOP(0, A, "x")\nSTOP(0, B, "y")', "stands twice"),
        ("", "has no STOP row"),
    ],
)
def test_a_malformed_row_names_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(TableError) as error:
        tables(tmp_path, "stops.def", f"/* two\n   lines */\n{row}\n").stops
    assert message in str(error.value)


@pytest.mark.parametrize(
    "row, message",
    [
        ('FIELD(F, a, 3, 4, HEX, "")', "are not a range"),
        ('FIELD(F, a, 4, 3, SIZES, "")', "there is no VALUE set SIZES"),
        ('FIELD(F, a, 4, 3, HEX, "b=")', 'the condition "b=" is neither'),
        ('FIELD(F, a, 4, 3, HEX, "ins")', 'the condition "ins" is not known'),
    ],
)
def test_a_malformed_field_is_refused(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        tables(tmp_path, "vmx/exit_fields.def", f"VALUE(SET, 0, a)\n{row}\n").formats


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="stops.def: cannot be read"):
        Tables(tmp_path).stops
