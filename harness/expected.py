"""Expected traces: the exits that a micro-guest must cause, as text (tests/expected/*.trace), and how a run
is held against them.

docs/expected-traces.md is the language's manual. `load_trace` reads a file, `compare` lists every difference
between a guest's part of it and what was recorded, `bless` writes the text from a run. Verdicts, the failure
display and `make bless` use it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Iterable, Iterator, Mapping, NamedTuple, Optional, Sequence

from harness.disassembly import code_size, disassemble_exit
from harness.fields import (
    ALL_BITS,
    ENTRY_FAILURE,
    EXIT_FIELDS,
    FORMATS,
    NEXT,
    Bits,
    Context,
    Definition,
    Detail,
    Facts,
    context_of,
    definitions,
    detail,
    exception_vector,
    exit_details,
    facts_of,
    fields_by_name,
    is_defined,
    parse_value,
    reason_flags,
    reason_name,
    reserved_bits,
)
from harness.tables import TABLES, ExitReason, Field, InstructionError, Named

if TYPE_CHECKING:
    from harness.guests import Guest
    from harness.records import Exit, GuestEnd

_INFORMATION = {name: attribute for name, attribute in EXIT_FIELDS}
_REGISTERS = {name.lower(): number for number, name in TABLES.value_sets["GENERAL_REGISTER"].items()}
# Fields of an EXIT record that a trace cannot name: they are written in another way, or are the recording's
# own.
_NOT_NAMED = {"kind", "sequence", "number", "reason", "rip", "instruction", "registers", *_INFORMATION.values()}
_EXTRAS = {row.name for row in TABLES.record_fields["EXIT"].values()} - _NOT_NAMED
_ASYNCHRONOUS = ("BETWEEN", "ENTRY")
_NEXT_WORDS = {words.replace(" ", "_"): number for number, words in NEXT.items()}
_ENDINGS = {outcome.name: outcome for outcome in TABLES.outcomes.values()}


class TraceError(Exception):
    """An expected trace is not written as it must be. The message names the file and the line."""


class BlessError(Exception):
    """A run must not be made the expected trace. The message says what differs from the guest's head."""


@dataclass(frozen=True)
class Expectation:
    """What a trace says about one field.

    `bits` holds the expected value, and which of its bits are certain: none for `_(reason)`. `parts` are the
    named parts of a field in braces, None for those that are `_(reason)`. `text` is the value as written.
    """

    text: str
    bits: Bits
    parts: Optional[Mapping[str, Optional[int]]] = None
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether the whole field is `_(reason)`."""
        return self.text.startswith("_(")


@dataclass(frozen=True)
class ExpectedExit:
    """One line of a trace. `code` is the disassembly in backquotes, or `_(reason)`; `comments` stand before
    the line.
    """

    line: int
    reason: ExitReason
    location: str
    code: str
    fields: Mapping[str, Expectation]
    comments: tuple[str, ...] = ()
    remark: str = ""

    @property
    def facts(self) -> Facts:
        """The fields that decide about others, as far as the trace says what they are."""

        def bits(name: str) -> Bits:
            expectation = self.fields.get(name)
            return expectation.bits if expectation else Bits(0)

        return Facts(bits("qualification"), bits("interruption"), bits("idt_vectoring"))


@dataclass(frozen=True)
class ExpectedGuest:
    """The part of a trace for one guest. `sections` are titles of the SDM; `lines` is the text as it stands
    in the file.
    """

    path: Path
    name: str
    line: int
    sections: tuple[str, ...]
    exits: tuple[ExpectedExit, ...]
    vmfail: Optional[InstructionError]
    outcome: Named
    lines: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    """The comments before `end`."""


@dataclass(frozen=True)
class TraceFile:
    """A trace file: what stands before the first guest, and the guests by name, in the file's order."""

    path: Path
    preamble: tuple[str, ...]
    guests: Mapping[str, ExpectedGuest]


# ----------------------------------------------------------------------------------------------------
# Reading

_TOKEN = re.compile(
    r"""(?:(?P<code>`[^`]*`)
         |(?P<name>[a-z][a-z0-9_]*)=(?:(?P<braces>\{[^{}]*\})|(?P<value>_\([^()]*\)|[^\s{}()`]+))
         |(?P<open>_(?:\([^()]*\))?)
         |(?P<word>[A-Za-z0-9_.+]+)
        )(?=\s|$)""",
    re.VERBOSE,
)
_PART = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)(?:=(_\([^()]*\)|[^\s()]+))?(?=\s|$)")
_OPEN = re.compile(r"_\(\s*[^()\s][^()]*\)")
_SPACES = re.compile(r"\s*")


class _Problem(Exception):
    """What is wrong with a line, before it is known which line that is."""


def _tokens(text: str) -> tuple[list[re.Match[str]], str]:
    """A line in tokens, and the remark that ends it (`# ...`). Raises _Problem."""
    tokens = []
    position = 0
    while position < len(text) and text[position] != "#":
        match = _TOKEN.match(text, position)
        if match is None:
            raise _Problem(f"cannot be read from here on: {text[position:]}")
        tokens.append(match)
        spaces = _SPACES.match(text, match.end())
        position = spaces.end() if spaces else match.end()
    return tokens, text[position:].rstrip()


def _open(text: str) -> str:
    """Demands that `_` has its reason: returns `_(reason)`. Raises _Problem."""
    if not _OPEN.fullmatch(text):
        raise _Problem("_ needs the reason beside it why this cannot be known: _(reason)")
    return text


def _number(name: str, text: str) -> int:
    """A number of a trace, decimal or 0x. Raises _Problem."""
    try:
        value = int(text, 0)
    except ValueError:
        raise _Problem(f'{name} is a number, not "{text}"') from None
    if not 0 <= value <= ALL_BITS:
        raise _Problem(f"{name} has 64 bits, too few for {text}")
    return value


def _braces(name: str, format_name: str, text: str) -> Expectation:
    """A field in braces, in one of the formats of exit_fields.def. Raises _Problem."""
    known = fields_by_name(format_name)
    parts: dict[str, Optional[int]] = {}
    texts: dict[str, str] = {}
    inside = text[1:-1].rstrip()
    position = 0
    value, mask = 0, 0
    while position < len(inside):
        match = _PART.match(inside, position)
        if match is None:
            raise _Problem(f"{name} cannot be read from here on: {inside[position:].strip()}")
        position = match.end()
        part, written = match[1], match[2]
        row = known.get(part)
        if row is None or row.undefined or part in ("valid", "basic"):
            names = ", ".join(row.name for row in known.values() if not row.undefined and row.name != "valid")
            raise _Problem(f'{name} has no part "{part}" in the format {format_name}; it has: {names}')
        if part in parts:
            raise _Problem(f"{name} names {part} twice")
        number = _part_value(row, written)
        parts[part] = number
        texts[part] = match[0].strip()
        if number is None:
            mask |= row.mask
        else:
            value |= number << row.first
    if parts and "valid" in known:
        value |= known["valid"].mask
    return Expectation(text, Bits(value, ALL_BITS & ~mask), parts, texts)


def _part_value(row: Field, written: Optional[str]) -> Optional[int]:
    """The value of one part in braces, from what follows its name; None for `_(reason)`. Raises _Problem."""
    if written is not None and written.startswith("_"):
        _open(written)
        return None
    if row.values == "FLAG":
        if written is not None:
            raise _Problem(f"{row.name} is a flag: write its name alone when it is set, nothing when it is clear")
        return 1
    if written is None:
        raise _Problem(f"{row.name} needs its value: {row.name}=...")
    try:
        if row.name == "vector" and written.startswith("#"):
            return exception_vector(written)
        return parse_value(row, written)
    except ValueError as error:
        raise _Problem(str(error)) from None


def _expectation(name: str, format_name: str, text: str) -> Expectation:
    """One field of a line. Raises _Problem."""
    if text.startswith("_"):
        return Expectation(_open(text), Bits(0, 0))
    if format_name in TABLES.formats:
        if not text.startswith("{"):
            raise _Problem(f"{name} is written by its parts: {name}={{...}}")
        return _braces(name, format_name, text)
    if text.startswith("{"):
        raise _Problem(f"{name} is a number, and has no parts")
    if name == "next" and text in _NEXT_WORDS:
        return Expectation(text, Bits(_NEXT_WORDS[text]))
    return Expectation(text, Bits(_number(name, text)))


def _interpret(reason: ExitReason, written: Mapping[str, str]) -> dict[str, Expectation]:
    """The fields of one line, in the formats that they have for this reason and these events. Raises
    _Problem.
    """
    fields: dict[str, Expectation] = {}
    for name in ("interruption", "idt_vectoring"):
        if name in written:
            fields[name] = _expectation(name, FORMATS[name], written[name])
    closed = {name: fields[name].bits if name in fields else Bits(0) for name in ("interruption",
    "idt_vectoring")}
    # The qualification's format only depends on the interruption information; all others' on neither.
    defined = definitions(reason, Facts(Bits(0, 0), closed["interruption"], closed["idt_vectoring"]))
    for name, text in written.items():
        if name in fields:
            continue
        if name == "flags":
            fields[name] = _expectation(name, "EXIT_REASON", text)
        elif name in defined:
            if defined[name].defined is False:
                raise _Problem(f"the architecture does not define {name} for this exit: leave it out")
            if not defined[name].format and not text.startswith("_"):
                raise _Problem(f"{name} has no known format while the interruption information is open")
            fields[name] = _expectation(name, defined[name].format, text)
        elif name in _REGISTERS or name in _EXTRAS:
            fields[name] = _expectation(name, FORMATS.get(name, "HEX"), text)
        elif name in _INFORMATION.values():
            short = next(short for short, attribute in EXIT_FIELDS if attribute == name)
            raise _Problem(f"{name} is called {short} in traces")
        else:
            known = ", ".join([*defined, *sorted(_EXTRAS)])
            raise _Problem(f'no field "{name}"; there are: {known}')
    return fields


def _undefined_or_missing(exit: ExpectedExit, facts: Facts) -> Iterator[tuple[str, str]]:
    """What the line names although the architecture does not define it, and the reverse, as far as `facts`
    tell: the field (or field.part), and what is wrong."""
    context = context_of(exit.reason, facts)
    for name, definition in definitions(exit.reason, facts).items():
        expectation = exit.fields.get(name)
        if expectation is None:
            if definition.defined and name != "idt_vectoring":
                yield name, f"{name} is defined for this exit: name its value, or write {name}=_(reason)"
            continue
        if definition.defined is False:
            yield name, f"{name} is not defined for this exit: leave it out"
        if expectation.parts is None:
            continue
        bits = _merge(expectation, getattr(facts, name, expectation.bits))
        for row in TABLES.formats[definition.format]:
            state = is_defined(row, bits, context)
            if row.name in expectation.parts:
                if state is False:
                    yield f"{name}.{row.name}", f"{name}: {row.name} is not defined here: leave it out"
            elif state and row.values != "FLAG":
                yield f"{name}.{row.name}", f"{name}: {row.name} is defined here: name its value, or _(reason)"


def _parse_exit(words: list[re.Match[str]], remark: str, line: int, comments: Sequence[str]) -> ExpectedExit:
    """One exit's line. Raises _Problem."""
    reason = TABLES.exit_reason_named.get(words[0]["word"] or "")
    if reason is None:
        raise _Problem(f'no exit reason "{words[0][0]}" in src/vmx/exit_reasons.def')
    if len(words) < 3 or not words[1]["word"] or not (words[2]["code"] or words[2]["open"]):
        raise _Problem("an exit's line is: REASON location `disassembly` field=value ...")
    code = words[2][0]
    if words[2]["open"]:
        _open(code)
        if reason.position not in _ASYNCHRONOUS:
            raise _Problem(f"{reason.name} is the instruction's own exit: its disassembly cannot be _")
    written: dict[str, str] = {}
    for word in words[3:]:
        if not word["name"]:
            raise _Problem(f"fields are written name=value, which this is not: {word[0]}")
        if word["name"] in written:
            raise _Problem(f"{word['name']} stands twice")
        written[word["name"]] = word["braces"] or word["value"]
    exit = ExpectedExit(line, reason, words[1][0], code, _interpret(reason, written), tuple(comments), remark)
    for _, message in _undefined_or_missing(exit, exit.facts):
        raise _Problem(message)
    return exit


class _GuestParser:
    """Collects the lines of one guest's part of a trace file."""

    def __init__(self, path: Path, name: str, line: int) -> None:
        self.path = path
        self.name = name
        self.line = line
        self.sections: list[str] = []
        self.exits: list[ExpectedExit] = []
        self.vmfail: Optional[InstructionError] = None
        self.outcome: Optional[Named] = None
        self.comments: list[str] = []
        self.final_comments: tuple[str, ...] = ()
        self.lines: list[str] = []

    def take(self, text: str, line: int) -> None:
        """One line of the file that is neither empty nor a guest's name. Raises _Problem."""
        if text.startswith("#"):
            self.comments.append(text)
            return
        if self.outcome is not None:
            raise _Problem("stands after the guest's end line")
        if text.startswith("section"):
            match = re.fullmatch(r'section\s+"([^"]+)"\s*(#.*)?', text)
            if match is None:
                raise _Problem('a section line is: section "title of the SDM section"')
            self.sections.append(match[1])
            return
        words, remark = _tokens(text)
        first = words[0][0]
        if first == "end":
            self._end(words)
        elif first == "VMFAIL":
            self._vmfail(words)
        else:
            self.exits.append(_parse_exit(words, remark, line, self.comments))
            self.comments = []

    def _end(self, words: list[re.Match[str]]) -> None:
        name = words[1][0] if len(words) == 2 else ""
        outcome = _ENDINGS.get(name)
        if outcome is None or name in ("SKIPPED", "MALFORMED"):
            good = ", ".join(sorted(set(_ENDINGS) - {"SKIPPED", "MALFORMED"}))
            raise _Problem(f"an end line is: end OUTCOME, one of {good}")
        if not self.sections:
            raise _Problem(f'[{self.name}] cites no SDM section: start it with section "title"')
        if (self.vmfail is None) == (name == "VMFAIL"):
            raise _Problem("a line VMFAIL and the line end VMFAIL belong together")
        if name in ("EXIT_UNHANDLED", "HALTED") and not self.exits:
            raise _Problem(f"end {name} needs a line for the exit that ended the guest")
        self.outcome = outcome
        self.final_comments = tuple(self.comments)

    def _vmfail(self, words: list[re.Match[str]]) -> None:
        names = {error.name: error for error in TABLES.instruction_errors.values()}
        name = words[1][0] if len(words) == 2 else ""
        if name not in names:
            raise _Problem("a line VMFAIL names one error of src/vmx/instruction_errors.def")
        if self.vmfail:
            raise _Problem("VMFAIL stands twice")
        self.vmfail = names[name]

    def result(self) -> ExpectedGuest:
        """The whole part, once its lines are over. Raises _Problem."""
        if self.outcome is None:
            raise _Problem(f"[{self.name}] has no end line")
        return ExpectedGuest(
            self.path,
            self.name,
            self.line,
            tuple(self.sections),
            tuple(self.exits),
            self.vmfail,
            self.outcome,
            tuple(self.lines),
            self.final_comments,
        )


def parse_trace(text: str, path: Path) -> TraceFile:
    """A trace file's text. `path` is for messages, and its stem is the name that every guest must have.
    Raises TraceError.
    """
    preamble: list[str] = []
    guests: dict[str, ExpectedGuest] = {}
    parser: Optional[_GuestParser] = None
    number = 0

    def finish() -> None:
        if parser is not None:
            guests[parser.name] = parser.result()

    try:
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            header = re.fullmatch(r"\[([A-Za-z0-9_.]+)\]\s*(#.*)?", line)
            if header:
                finish()
                parser = None
                if header[1] in guests:
                    raise _Problem(f"[{header[1]}] stands twice")
                if header[1].partition(".")[0] != path.stem:
                    raise _Problem(f"[{header[1]}] is not a guest of {path.stem}: a trace is named after its guest")
                parser = _GuestParser(path, header[1], number)
            if parser is None:
                if line and not line.startswith("#"):
                    raise _Problem(f"stands before the first guest: begin with [{path.stem}]")
                preamble.append(raw)
                continue
            parser.lines.append(raw)
            if line and not header:
                parser.take(line, number)
        finish()
    except _Problem as problem:
        raise TraceError(f"{path}:{number}: {problem}") from None
    return TraceFile(path, tuple(preamble), guests)


def load_trace(path: Path) -> TraceFile:
    """Reads a trace file. Raises TraceError, also when it cannot be read."""
    try:
        return parse_trace(path.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from None


def trace_path(folder: Path, guest_name: str) -> Path:
    """The trace file for a guest, in the folder of expected traces."""
    return folder / f"{guest_name.partition('.')[0]}.trace"


def stray_guests(trace: TraceFile, guests: Iterable[str]) -> list[str]:
    """The guests of a trace that the catalogue does not have: expectations that nothing would ever check."""
    known = set(guests)
    return [name for name in trace.guests if name not in known]


# ----------------------------------------------------------------------------------------------------
# Comparing


class Difference(NamedTuple):
    """One thing that is not as the trace says.

    kind       field: a field of an exit; missing, extra, order: whole exits; outcome: how the guest ended
    (VMFAIL's error            too); trace: the trace itself is wrong, and not the guest
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


def _merge(expectation: Optional[Expectation], actual: Bits) -> Bits:
    """The expected value, with the actual one's bits where the trace leaves them open."""
    expected = expectation.bits if expectation else Bits(0)
    return Bits(expected.value & expected.known | actual.value & ~expected.known, expected.known | actual.known)


def merged_facts(expected: ExpectedExit, actual: Facts) -> Facts:
    """The fields that decide what is defined: as the trace says, or as recorded where it leaves them open."""
    return actual._replace(
        qualification=_merge(expected.fields.get("qualification"), actual.qualification),
        interruption=_merge(expected.fields.get("interruption"), actual.interruption),
        idt_vectoring=_merge(expected.fields.get("idt_vectoring"), actual.idt_vectoring),
    )


def cells(
    expected: ExpectedExit, actual: "Exit", guest: "Guest", capabilities: Optional[Mapping[int, int]] = None
) -> list[Cell]:
    """One exit's line in pieces, each as expected and as recorded: the ground of `compare` and of the
    failure display.

    When the reasons differ, only reason, location and disassembly count: other reasons have other fields.
    """
    result = _head_cells(expected, actual, guest)
    if expected.reason.number != actual.basic_reason:
        result += [Cell(name, f"{name}={value.text}", "") for name, value in expected.fields.items()]
        result += [Cell(item.name, "", str(item)) for item in exit_details(actual, capabilities)]
        return result
    result += _flag_cells(expected, actual)
    facts = merged_facts(expected, facts_of(actual, capabilities))
    problems = dict(_undefined_or_missing(expected, facts))
    context = context_of(expected.reason, facts)
    for name, definition in definitions(expected.reason, facts).items():
        value = getattr(actual, _INFORMATION[name])
        result += _field_cells(name, expected.fields.get(name), value, definition, context, problems)
    for name, expectation in expected.fields.items():
        if name not in _INFORMATION and name != "flags":
            value = actual.registers.get(_REGISTERS[name], 0) if name in _REGISTERS else getattr(actual, name)
            definition = Definition(True, FORMATS.get(name, "HEX"))
            result += _field_cells(name, expectation, value, definition, context, problems)
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
    """The flags of the exit-reason field. Entry failure goes without saying for the reasons that it belongs
    to.
    """
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
    bits = _merge(expectation, Bits(value))
    result: list[Cell] = []
    for row in TABLES.formats[format_name]:
        if row.undefined or row.name == "basic":
            continue
        named = row.name in expectation.parts
        wanted = expectation.parts[row.name] if named else row.extract(expectation.bits.value)
        actual = row.extract(value)
        key = f"{name}.{row.name}"
        left = expectation.texts.get(row.name, "")
        right = shown.get(row.name, "")
        if row.name == "valid":
            left, right = ("valid" if number and number != other else "" for number, other in ((wanted,
            actual), (actual, wanted)))
        checked = named or is_defined(row, bits, context) is not False
        differs = checked and wanted is not None and wanted != actual
        if key in problems:
            result.append(Cell(key, left, right or f"{row.name}={actual}", True, bool(not result), "trace"))
        elif left or right or differs:
            result.append(Cell(key, left, right if checked else "", differs, not result))
    if reserved := reserved_bits(format_name, value, context):
        result.append(Cell(f"{name}.reserved", "", f"reserved={reserved:#x}", True, not result))
    return result


def exit_port_exit(actual: "Exit") -> ExpectedExit:
    """What `end EXIT_PORT` expects of the last exit: the 16-bit OUT of END_GUEST (guests/include/guest.h)."""
    size = disassemble_exit(actual).size or (1 if code_size(actual) == 16 else 2)
    port = TABLES.layout["GUEST_EXIT_PORT"]
    written = {
        "length": str(size),
        "qualification": f"{{size=2 direction=out operand=dx port={port:#x}}}",
        "next": "end",
    }
    reason = TABLES.exit_reason_named["IO_INSTRUCTION"]
    return ExpectedExit(0, reason, f"{actual.rip:#x}", "`out dx, ax`", _interpret(reason, written))


def align(
    expected: Sequence[ExpectedExit], exits: Sequence["Exit"], guest: "Guest"
) -> list[tuple[Optional[int], Optional[int]]]:
    """Which expected exit belongs to which actual one, by reason and place, in order; None where one has no
    partner.

    Between two exits that agree, as many as both sides have are paired one by one: they are the same exit with
    another reason or place.
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
        blocks = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()  # type: ignore[assignment]
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
    capabilities: Optional[Mapping[int, int]] = None,
) -> list[Difference]:
    """Every difference between a guest's expected trace and its records, in the order of the exits; none: it
    is right.

    `exits` and `end` are the guest's records; `end` is None when it did not come. `capabilities` are those of the
    recording's header: they tell whether INS and OUTS have instruction information.
    """
    ordinary = list(exits)
    outcome = TABLES.outcomes.get(end.outcome) if end else None
    at_port = outcome is not None and outcome.name == "EXIT_PORT"
    last = ordinary.pop() if at_port and ordinary else None
    differences: list[Difference] = []
    for i, j in align(expected.exits, ordinary, guest):
        if i is None and j is not None:
            line = exit_line(ordinary[j], guest, capabilities)
            differences.append(Difference("extra", j, None, "extra", "no exit", line))
        elif j is None and i is not None:
            wanted = expected.exits[i]
            differences.append(Difference("missing", None, wanted.line, "missing", written_line(wanted), "no exit"))
        elif i is not None and j is not None:
            pieces = cells(expected.exits[i], ordinary[j], guest, capabilities)
            differences += _cell_differences(pieces, j, expected.exits[i].line)
    differences = _mark_order(differences, expected, ordinary, guest)
    differences += _end_differences(expected, end, outcome)
    if at_port and expected.outcome.name == "EXIT_PORT":
        if last is None:
            differences.append(Difference("missing", None, None, "missing", "the exit port's exit", "no exit"))
        else:
            pieces = cells(exit_port_exit(last), last, guest, capabilities)
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
            result.append(item._replace(kind="order", exit=found.exit, field="order", actual=f"came as exit {found.exit}"))
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
    trace = [f"{exit.reason.name} {guest.locate(guest.labels.resolve(exit.location))}" for exit in
    expected.exits] result = []
    for number in range(max(len(head), len(trace))):
        wanted = trace[number] if number < len(trace) else "no exit"
        declared = head[number] if number < len(head) else "no EXPECT"
        if wanted != declared:
            line = expected.exits[number].line if number < len(trace) else None
            result.append(Difference("trace", number, line, "head", wanted, f"the guest's head says {declared}"))
    return result


# ----------------------------------------------------------------------------------------------------
# Writing


class Run(NamedTuple):
    """What one guest did: its exits and its end, as recorded."""

    guest: "Guest"
    exits: Sequence["Exit"]
    end: Optional["GuestEnd"]


def written_line(exit: ExpectedExit) -> str:
    """An expected exit as one line, without alignment."""
    fields = (f"{name}={expectation.text}" for name, expectation in exit.fields.items())
    return " ".join((exit.reason.name, exit.location, exit.code, *fields))


def exit_line(exit: "Exit", guest: "Guest", capabilities: Optional[Mapping[int, int]] = None) -> str:
    """A recorded exit as one line of a trace, without alignment."""
    return " ".join(_columns(exit, guest, None, capabilities))


def _columns(
    exit: "Exit", guest: "Guest", existing: Optional[ExpectedExit], capabilities: Optional[Mapping[int, int]]
) -> list[str]:
    """A recorded exit in the columns of a trace's line; what `existing` leaves open or adds beyond duty is
    kept.
    """
    code = f"`{disassemble_exit(exit).text}`"
    if existing and existing.code.startswith("_"):
        code = existing.code
    kept = existing.fields if existing else {}
    fields = []
    reason = TABLES.exit_reasons.get(exit.basic_reason)
    implied = {"entry_failure"} if reason and reason.position == "ENTRY" else set()
    for item in exit_details(exit, capabilities):
        if item.name == "flags":
            item = item._replace(parts=tuple(part for part in item.parts if part.name not in implied))
            if not item.parts:
                continue
        fields.append(_kept(item, kept.get(item.name)))
    for name, expectation in kept.items():
        if name in _REGISTERS or name in _EXTRAS:
            value = exit.registers.get(_REGISTERS[name], 0) if name in _REGISTERS else getattr(exit, name)
            if name == "next":
                fields.append(f"next={NEXT.get(value, str(value)).replace(' ', '_')}")
            else:
                fields.append(_kept(detail(name, value, FORMATS.get(name, "HEX")), expectation))
    return [reason_name(exit.basic_reason), guest.locate(exit.rip), code, *fields]


def _kept(item: Detail, existing: Optional[Expectation]) -> str:
    """A field as recorded, with the `_(reason)` of the existing line where that has one."""
    if existing is None:
        return str(item)
    if existing.is_open:
        return f"{item.name}={existing.text}"
    if existing.parts is None or not item.parts:
        return str(item)
    opened = {name: existing.texts[name] for name, value in existing.parts.items() if value is None}
    parts = [opened.pop(part.name, str(part)) for part in item.parts]
    return f"{item.name}={{{' '.join([*parts, *opened.values()])}}}"


def check_head(run: Run) -> None:
    """Demands that the run's exits are those that the guest's head declares, in order. Raises BlessError."""
    guest, end = run.guest, run.end
    outcome = TABLES.outcomes.get(end.outcome) if end else None
    if end is None or outcome is None or outcome.name in ("SKIPPED", "MALFORMED"):
        why = f"{outcome.name}: {end.detail}" if end and outcome else "the guest did not come to its end"
        raise BlessError(f"{guest.name}: there is nothing to bless: {why}")
    if guest.expect_vmfail is not None:
        if outcome.name != "VMFAIL" or end.instruction_error != guest.expect_vmfail:
            wanted = TABLES.instruction_errors[guest.expect_vmfail].name
            raise BlessError(f"{guest.name}: the head says EXPECT_VMFAIL {wanted}, but the guest ended {outcome.name}")
        return
    exits = run.exits[:-1] if outcome.name == "EXIT_PORT" else run.exits
    declared = [f"{reason_name(item.reason)}, {guest.locate(item.address)}" for item in guest.expects]
    actual = [f"{reason_name(exit.basic_reason)}, {guest.locate(exit.rip)}" for exit in exits]
    if declared == actual:
        return
    lines = [f"{guest.name}: the exits are not those that its head declares; correct the head, or the guest:"]
    for number in range(max(len(declared), len(actual))):
        wanted = declared[number] if number < len(declared) else "nothing"
        came = actual[number] if number < len(actual) else "nothing"
        mark = "   " if wanted == came else "-> "
        lines.append(f"  {mark}exit {number}: EXPECT {wanted}; came {came}")
    raise BlessError("\n".join(lines))


def bless(
    existing: Optional[TraceFile], runs: Sequence[Run], capabilities: Optional[Mapping[int, int]] = None
) -> str:
    """The text of a trace file in which the guests of `runs` (all of one file) are as recorded.

    Other guests' parts stay as they are. Of these guests' parts, comments, `_(reason)` and fields beyond
    duty are kept where the exits line up. Raises BlessError where a run is not what the guest's head
    declares.
    """
    parts: dict[str, list[str]] = {}
    if existing:
        parts = {name: _trimmed(part.lines) for name, part in existing.guests.items()}
    for run in runs:
        check_head(run)
        previous = existing.guests.get(run.guest.name) if existing else None
        parts[run.guest.name] = _blessed_part(run, previous, capabilities)
    preamble = _trimmed(existing.preamble) if existing else []
    blocks = ([preamble] if preamble else []) + list(parts.values())
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    _prove(text, runs, capabilities)
    return text


def _trimmed(lines: Sequence[str]) -> list[str]:
    """The lines without empty ones at the end."""
    result = list(lines)
    while result and not result[-1].strip():
        result.pop()
    return result


def _blessed_part(
    run: Run, previous: Optional[ExpectedGuest], capabilities: Optional[Mapping[int, int]]
) -> list[str]:
    """The lines of one guest's part."""
    assert run.end is not None
    outcome = TABLES.outcomes[run.end.outcome].name
    exits = list(run.exits[:-1] if outcome == "EXIT_PORT" else run.exits)
    titles = previous.sections if previous else run.guest.sections
    lines = [f"[{run.guest.name}]", *(f'section "{title}"' for title in titles)]
    pairs = align(previous.exits, exits, run.guest) if previous else [(None, j) for j in range(len(exits))]
    comments: list[list[str]] = []
    rows: list[list[str]] = []
    remarks: list[str] = []
    pending: list[str] = []
    for i, j in pairs:
        old = previous.exits[i] if previous and i is not None else None
        pending += old.comments if old else ()
        if j is None:
            continue
        if old and old.reason.number != exits[j].basic_reason:
            old = None
        comments.append(pending)
        rows.append(_columns(exits[j], run.guest, old, capabilities))
        remarks.append(f"  {old.remark}" if old and old.remark else "")
        pending = []
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for before, row, remark in zip(comments, rows, remarks):
        head = "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
        lines += [*before, f"{head}  {' '.join(row[3:])}".rstrip() + remark]
    if outcome == "VMFAIL":
        error = TABLES.instruction_errors.get(run.end.instruction_error)
        lines.append(f"VMFAIL {error.name if error else run.end.instruction_error}")
    return [*lines, *pending, *(previous.comments if previous else ()), f"end {outcome}"]


def _prove(text: str, runs: Sequence[Run], capabilities: Optional[Mapping[int, int]]) -> None:
    """Demands that the new text accepts the runs it was made from. Raises BlessError."""
    for run in runs:
        path = Path(f"{run.guest.file}.trace")
        try:
            expected = parse_trace(text, path).guests[run.guest.name]
        except TraceError as error:
            raise BlessError(f"{run.guest.name}: what was recorded cannot be written as a trace: {error}") from None
        if differences := compare(expected, run.exits, run.end, run.guest, capabilities):
            first = differences[0]
            raise BlessError(
                f"{run.guest.name}: exit {first.exit}: {first.field} is {first.actual}, where the architecture"
                f" allows only {first.expected}: no trace can say that"
            )
