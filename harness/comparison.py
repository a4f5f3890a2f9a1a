"""Holds the records of a guest's run against its expected trace.

`compare` lists every difference; verdicts are made of that. `cells` has the pieces of one exit's line,
expected and actual side by side, for the failure display.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Iterable, Mapping, NamedTuple, Optional, Sequence

from harness.disassembly import code_size, disassemble_exit
from harness.expected import (
    INFORMATION,
    REGISTERS,
    Expectation,
    ExpectedExit,
    ExpectedGuest,
    interpret,
    is_withheld,
    merge,
    problems_of,
)
from harness.fields import (
    ALL_BITS,
    ENTRY_FAILURE,
    FORMATS,
    NOTHING_KNOWN,
    Bits,
    Circumstances,
    Context,
    Definition,
    Facts,
    beyond_address_size,
    context_of,
    definitions,
    detail,
    exit_details,
    facts_of,
    is_defined,
    reason_flags,
    reason_name,
    reserved_bits,
    unusual_states,
)
from harness.tables import TABLES, Named
from harness.trace_lines import exit_line, written_line

if TYPE_CHECKING:
    from harness.guests import Guest
    from harness.records import Exit, GuestEnd


DIFFERENCE_LIMIT = 100
"""After so many differences `compare` looks no further: a guest that runs away makes millions of exits."""


class Difference(NamedTuple):
    """One thing that is not as the trace says.

    kind       field: a field of an exit; missing, extra, order: whole exits; outcome: how the guest ended,
               or the error of VM entry; trace: the trace itself is wrong, and not the guest
    exit       the number of the actual exit, None where there is none
    line       the trace's line, None for an extra exit
    field      `reason`, `location`, `disassembly`, a field's name, `field.part`, or the kind
    """

    kind: str
    exit: Optional[int]
    line: Optional[int]
    field: str
    expected: str
    actual: str


class Cell(NamedTuple):
    """One piece of an exit's line, as expected and as it was; `glued` ones follow without a space."""

    field: str
    expected: str
    actual: str
    differs: bool = False
    glued: bool = False
    kind: str = "field"


def merged_facts(expected: ExpectedExit, actual: Facts) -> Facts:
    """The fields that decide what is defined: as the trace says, or as recorded where it leaves them open."""
    return actual._replace(
        qualification=merge(expected.fields.get("qualification"), actual.qualification),
        interruption=merge(expected.fields.get("interruption"), actual.interruption),
        idt_vectoring=merge(expected.fields.get("idt_vectoring"), actual.idt_vectoring),
        instruction_information=merge(
            expected.fields.get("instruction_information"), actual.instruction_information
        ),
    )


def cells(
    expected: ExpectedExit, actual: "Exit", guest: "Guest", circumstances: Circumstances = NOTHING_KNOWN
) -> list[Cell]:
    """One exit's line in pieces, each as expected and as recorded.

    When the reasons differ, only reason, location and disassembly count: other reasons have other fields.
    """
    result = _head_cells(expected, actual, guest)
    if expected.reason.number != actual.basic_reason:
        result += [Cell(name, f"{name}={value.text}", "") for name, value in expected.fields.items()]
        result += [Cell(item.name, "", str(item)) for item in exit_details(actual, circumstances)]
        return result
    result += _flag_cells(expected, actual)
    facts = merged_facts(expected, facts_of(actual, circumstances))
    problems = dict(problems_of(expected, facts))
    context = context_of(expected.reason, facts)
    for name, definition in definitions(expected.reason, facts).items():
        if is_withheld(definition, facts):
            continue
        value = getattr(actual, INFORMATION[name])
        result += _field_cells(name, expected.fields.get(name), value, definition, context, problems)
    for name, expectation in expected.fields.items():
        if name not in INFORMATION and name != "flags":
            value = actual.registers.get(REGISTERS[name], 0) if name in REGISTERS else getattr(actual, name)
            definition = Definition(True, FORMATS.get(name, "HEX"))
            result += _field_cells(name, expectation, value, definition, context, problems)
    result += [
        Cell(item.name, "", str(item), True)
        for item in unusual_states(actual)
        if item.name not in expected.fields
    ]
    return result


def _head_cells(expected: ExpectedExit, actual: "Exit", guest: "Guest") -> list[Cell]:
    """Reason, location and disassembly."""
    reason = reason_name(actual.basic_reason)
    location = guest.locate(actual.rip)
    kind = "field"
    try:
        elsewhere = guest.labels.resolve(expected.location) != actual.rip
    except ValueError:
        elsewhere, kind = True, "trace"
    code = f"`{disassemble_exit(actual).text}`"
    is_open = expected.code.startswith("_")
    return [
        Cell("reason", expected.reason.name, reason, expected.reason.name != reason),
        Cell("location", expected.location, location, elsewhere, kind=kind),
        Cell("disassembly", expected.code, code, not is_open and expected.code != code),
    ]


def _flag_cells(expected: ExpectedExit, actual: "Exit") -> list[Cell]:
    """The flags of the exit-reason field. Entry failure goes without saying where the reason implies it."""
    implied = ENTRY_FAILURE if expected.reason.position == "ENTRY" else 0
    expectation = expected.fields.get("flags")
    wanted = implied | (expectation.bits.value if expectation else 0)
    known = expectation.bits.known if expectation else ALL_BITS
    flags = actual.reason & ~0xFFFF
    differs = bool((flags ^ wanted) & known)
    if expectation is None and not differs:
        return []
    shown = [str(part) for part in reason_flags(flags)]
    text = expectation.text if expectation else "{" + " ".join(map(str, reason_flags(wanted))) + "}"
    return [Cell("flags", f"flags={text}", f"flags={{{' '.join(shown)}}}", differs)]


def _field_cells(
    name: str,
    expectation: Optional[Expectation],
    value: Optional[int],
    definition: Definition,
    context: Context,
    problems: Mapping[str, str],
) -> list[Cell]:
    """One field: a single piece, or its parts between braces."""
    if expectation is None:
        if not definition.defined and not (definition.format == "ZERO" or name == "idt_vectoring"):
            return []  # undefined: never checked, never shown
        if not value and not definition.defined:
            return []
        shown = str(detail(name, value, definition.format if definition.defined else "HEX", context))
        return [Cell(name, "", shown, True, kind="trace" if definition.defined else "field")]
    actual = detail(name, value, definition.format, context)
    if name in problems:
        return [Cell(name, f"{name}={expectation.text}", str(actual), True, kind="trace")]
    if expectation.is_open or expectation.parts is None or value is None:
        differs = not expectation.is_open and value != expectation.bits.value
        return [Cell(name, f"{name}={expectation.text}", str(actual), differs)]
    inner = _part_cells(name, expectation, value, definition.format, context, problems)
    opening = Cell(f"{name}.", f"{name}={{", f"{name}={{")
    return [opening, *inner, Cell(f"{name}.", "}", "}", glued=True)]


def _part_cells(
    name: str,
    expectation: Expectation,
    value: int,
    format_name: str,
    context: Context,
    problems: Mapping[str, str],
) -> list[Cell]:
    """The parts of a field in braces."""
    assert expectation.parts is not None
    shown = {part.name: str(part) for part in detail(name, value, format_name, context).parts}
    bits = merge(expectation, Bits(value))
    undefined = beyond_address_size(format_name, context)
    result: list[Cell] = []
    for row in TABLES.formats[format_name]:
        if row.undefined or row.name == "basic":
            continue
        named = row.name in expectation.parts
        wanted = expectation.parts[row.name] if named else row.extract(expectation.bits.value)
        actual = row.extract(value & ~undefined)
        key = f"{name}.{row.name}"
        left = expectation.texts.get(row.name, "")
        right = shown.get(row.name, "")
        if row.name == "valid":
            left, right = (
                "valid" if number and number != other else ""
                for number, other in ((wanted, actual), (actual, wanted))
            )
        checked = named or is_defined(row, bits, context) is not False
        differs = checked and wanted is not None and wanted != actual
        if key in problems:
            result.append(Cell(key, left, right or f"{row.name}={actual}", True, bool(not result), "trace"))
        elif left or right or differs:
            result.append(Cell(key, left, right if checked else "", differs, not result))
    if reserved := reserved_bits(format_name, value, context):
        result.append(Cell(f"{name}.reserved", "", f"reserved={reserved:#x}", True, not result))
    return result


def exit_port_exit(expected: ExpectedGuest, actual: "Exit") -> ExpectedExit:
    """What `end EXIT_PORT` expects of the last exit: the 16-bit OUT of END_GUEST (guests/include/guest.h)."""
    size = disassemble_exit(actual).size or (1 if code_size(actual) == 16 else 2)
    written = {
        "length": str(size),
        "qualification": f"{{size=2 direction=out operand=dx port={TABLES.exit_port:#x}}}",
        "next": "POWER_OFF",
    }
    reason = TABLES.exit_reason_named["IO_INSTRUCTION"]
    fields = interpret(reason, written) | dict(expected.end_fields)
    return ExpectedExit(0, reason, f"{actual.rip:#x}", "`out dx, ax`", fields)


def align(
    expected: Sequence[ExpectedExit], exits: Sequence["Exit"], guest: "Guest"
) -> list[tuple[Optional[int], Optional[int]]]:
    """Which expected exit belongs to which actual one, by reason and place, in order; None: to no other.

    Between two exits that agree, as many as both sides have are paired one by one: they are the same exit
    with another reason or place.
    """

    def address(exit: ExpectedExit) -> Optional[int]:
        try:
            return guest.labels.resolve(exit.location)
        except ValueError:
            return None

    left = [(exit.reason.number, address(exit)) for exit in expected]
    right: list[tuple[int, Optional[int]]] = [(exit.basic_reason, exit.rip) for exit in exits]
    pairs: list[tuple[Optional[int], Optional[int]]] = []
    if left == right or max(len(left), len(right)) > _ALIGN_LIMIT:
        blocks = [("replace", 0, len(left), 0, len(right))]
    else:
        blocks = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for _, i, i_end, j, j_end in blocks:
        both = min(i_end - i, j_end - j)
        pairs += zip(range(i, i + both), range(j, j + both))
        pairs += [(index, None) for index in range(i + both, i_end)]
        pairs += [(None, index) for index in range(j + both, j_end)]
    return pairs


# Beyond this many exits they are compared one by one in order: alignment takes the square of their number.
_ALIGN_LIMIT = 2000


def compare(
    expected: ExpectedGuest,
    exits: Sequence["Exit"],
    end: Optional["GuestEnd"],
    guest: "Guest",
    circumstances: Circumstances = NOTHING_KNOWN,
) -> list[Difference]:
    """Every difference between a guest's expected trace and its records, in the order of the exits.

    No difference means that the run is right; of a run that went wholly astray only the first
    DIFFERENCE_LIMIT are told. `exits` and `end` are the guest's records; `end` is None when it did not come.
    `circumstances` are the recording's: on them depends whether INS and OUTS have instruction information,
    and whether "NMI unblocking due to IRET" is defined.
    """
    ordinary = list(exits)
    outcome = TABLES.outcomes.get(end.outcome) if end else None
    at_port = outcome is not None and outcome.name == "EXIT_PORT"
    last = ordinary.pop() if at_port and ordinary else None
    differences: list[Difference] = []
    for i, j in align(expected.exits, ordinary, guest):
        if len(differences) >= DIFFERENCE_LIMIT:
            break
        if i is None and j is not None:
            line = exit_line(ordinary[j], guest, circumstances)
            differences.append(Difference("extra", j, None, "extra", "no exit", line))
        elif j is None and i is not None:
            wanted = expected.exits[i]
            differences.append(
                Difference("missing", None, wanted.line, "missing", written_line(wanted), "no exit")
            )
        elif i is not None and j is not None:
            pieces = cells(expected.exits[i], ordinary[j], guest, circumstances)
            differences += _cell_differences(pieces, j, expected.exits[i].line)
    differences = _mark_order(differences, expected, ordinary, guest)
    differences += _end_differences(expected, end, outcome)
    if at_port and expected.outcome.name == "EXIT_PORT":
        if last is None:
            differences.append(
                Difference("missing", None, None, "missing", "the exit port's exit", "no exit")
            )
        else:
            pieces = cells(exit_port_exit(expected, last), last, guest, circumstances)
            differences += _cell_differences(pieces, len(ordinary), None)
    return differences or _head_differences(expected, guest)


def _cell_differences(pieces: Iterable[Cell], exit: int, line: Optional[int]) -> list[Difference]:
    """The pieces that differ, as differences."""
    return [
        Difference(cell.kind, exit, line, cell.field, cell.expected or "nothing", cell.actual or "nothing")
        for cell in pieces
        if cell.differs
    ]


def _mark_order(
    differences: list[Difference], expected: ExpectedGuest, exits: Sequence["Exit"], guest: "Guest"
) -> list[Difference]:
    """Calls it a matter of order when an exit that is missing at its place came at another."""
    lines = {exit.line: (exit.reason.name, exit.location) for exit in expected.exits}
    extra = {
        (reason_name(exits[item.exit].basic_reason), guest.locate(exits[item.exit].rip)): item
        for item in differences
        if item.kind == "extra" and item.exit is not None
    }
    result = []
    moved = []
    for item in differences:
        found = extra.get(lines[item.line]) if item.kind == "missing" and item.line in lines else None
        if found:
            moved.append(found)
            result.append(
                item._replace(
                    kind="order", exit=found.exit, field="order", actual=f"came as exit {found.exit}"
                )
            )
        else:
            result.append(item)
    return [item for item in result if item not in moved]


def _end_differences(
    expected: ExpectedGuest, end: Optional["GuestEnd"], outcome: Optional[Named]
) -> list[Difference]:
    """How the guest ended, and the error where VM entry failed."""
    if end is None:
        return [Difference("outcome", None, None, "outcome", expected.outcome.name, "no end was recorded")]
    name = outcome.name if outcome else str(end.outcome)
    if name != expected.outcome.name:
        actual = f"{name} ({end.detail})" if end.detail else name
        return [Difference("outcome", None, None, "outcome", expected.outcome.name, actual)]
    if expected.vmfail and end.instruction_error != expected.vmfail.number:
        error = TABLES.instruction_errors.get(end.instruction_error)
        actual = error.name if error else str(end.instruction_error)
        return [Difference("outcome", None, None, "vmfail", expected.vmfail.name, actual)]
    return []


def _head_differences(expected: ExpectedGuest, guest: "Guest") -> list[Difference]:
    """Where the trace says something else than the guest's head, so that one of the two is out of date."""
    head = [f"{reason_name(item.reason)} {guest.locate(item.address)}" for item in guest.expects]
    trace = [
        f"{exit.reason.name} {guest.locate(guest.labels.resolve(exit.location))}" for exit in expected.exits
    ]
    result = []
    for number in range(max(len(head), len(trace))):
        wanted = trace[number] if number < len(trace) else "no exit"
        declared = head[number] if number < len(head) else "no EXPECT"
        if wanted != declared:
            line = expected.exits[number].line if number < len(trace) else None
            result.append(
                Difference("trace", number, line, "head", wanted, f"the guest's head says {declared}")
            )
    return result
