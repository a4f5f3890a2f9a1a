"""Expected traces: the exits that a micro-guest must cause, as text (tests/expected/*.trace).

docs/expected-traces.md is the language's manual. This module reads and checks it; comparison.py holds a run
against it, and blessing.py writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Iterator, Mapping, Optional, Sequence

from harness.fields import (
    ALL_BITS,
    EXIT_FIELDS,
    FORMATS,
    STATES,
    Bits,
    Definition,
    Facts,
    beyond_address_size,
    context_of,
    definitions,
    exception_vector,
    fields_by_name,
    is_defined,
    parse_value,
)
from harness.tables import TABLES, ExitReason, Field, InstructionError, Named, in_project

INFORMATION = {name: attribute for name, attribute in EXIT_FIELDS}
REGISTERS = {name.lower(): number for number, name in TABLES.value_sets["GENERAL_REGISTER"].items()}
# Fields of an EXIT record that a trace cannot name: they are written in another way, or are the recording's
# own.
_NOT_NAMED = {
    "kind",
    "sequence",
    "number",
    "reason",
    "rip",
    "instruction",
    "registers",
    *INFORMATION.values(),
}
EXTRAS = {row.name for row in TABLES.record_fields["EXIT"].values()} - _NOT_NAMED
_ASYNCHRONOUS = ("BETWEEN", "ENTRY")
_NEXT = {row.name: number for number, row in TABLES.exit_nexts.items()}
_ENDINGS = {outcome.name: outcome for outcome in TABLES.outcomes.values()}


class TraceError(Exception):
    """An expected trace is not written as it must be. The message names the file and the line."""


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
    """One line of a trace. `code` is the disassembly in
    backquotes, or `_(reason)`; `comments` stand before the line.
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

        return Facts(
            bits("qualification"),
            bits("interruption"),
            bits("idt_vectoring"),
            has_segment=None,
            instruction_information=bits("instruction_information"),
        )


@dataclass(frozen=True)
class ExpectedGuest:
    """The part of a trace for one guest. `sections` are titles
    of the SDM; `lines` is the text as it stands in the file.
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
    end_fields: Mapping[str, Expectation] = field(default_factory=dict)
    """The activity and interruptibility state at the exit port, where they are named."""


@dataclass(frozen=True)
class TraceFile:
    """A trace file: what stands before the first guest, and the guests by name, in the file's order."""

    path: Path
    preamble: tuple[str, ...]
    guests: Mapping[str, ExpectedGuest]


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
    if value < 0:
        raise _Problem(f"{name} cannot be negative: {text}")
    if value > ALL_BITS:
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
            raise _Problem(
                f"{row.name} is a flag: write its name alone when it is set, nothing when it is clear"
            )
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
    if name == "next" and text in _NEXT:
        return Expectation(text, Bits(_NEXT[text]))
    return Expectation(text, Bits(_number(name, text)))


def interpret(reason: ExitReason, written: Mapping[str, str]) -> dict[str, Expectation]:
    """The fields of one line, in the formats that they
    have for this reason and these events. Raises _Problem.
    """
    fields: dict[str, Expectation] = {}
    for name in ("interruption", "idt_vectoring"):
        if name in written:
            fields[name] = _expectation(name, FORMATS[name], written[name])
    closed = {
        name: fields[name].bits if name in fields else Bits(0) for name in ("interruption", "idt_vectoring")
    }
    # The qualification's format only depends on the interruption information; all others' on neither.
    defined = definitions(reason, Facts(Bits(0, 0), closed["interruption"], closed["idt_vectoring"]))
    if defined["interruption"].defined and "interruption" not in fields:
        raise _Problem(
            "interruption is defined for this exit: name its value, or write interruption=_(reason)"
        )
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
        elif name in REGISTERS or name in EXTRAS:
            fields[name] = _expectation(name, FORMATS.get(name, "HEX"), text)
        elif name in INFORMATION.values():
            short = next(short for short, attribute in EXIT_FIELDS if attribute == name)
            raise _Problem(f"{name} is called {short} in traces")
        else:
            known = ", ".join([*defined, *sorted(EXTRAS)])
            raise _Problem(f'no field "{name}"; there are: {known}')
    return fields


def merge(expectation: Optional[Expectation], actual: Bits) -> Bits:
    """The expected value, with the actual one's bits where the trace leaves them open."""
    expected = expectation.bits if expectation else Bits(0)
    return Bits(
        expected.value & expected.known | actual.value & ~expected.known, expected.known | actual.known
    )


def is_withheld(definition: Definition, facts: Facts) -> bool:
    """Whether the processor does not give a field that the trace may rightly name: the instruction
    information for INS and OUTS is optional (SDM, "Basic VMX Information", bit 54).
    """
    return definition.format == "INS_OUTS" and facts.string_information is False


def problems_of(exit: ExpectedExit, facts: Facts) -> Iterator[tuple[str, str]]:
    """What the line names although the architecture does not define it, and the reverse, as far as `facts`
    tell: the field (or field.part), and what is wrong."""
    context = context_of(exit.reason, facts)
    for name, definition in definitions(exit.reason, facts).items():
        if is_withheld(definition, facts):
            continue
        expectation = exit.fields.get(name)
        if expectation is None:
            if definition.defined and name != "idt_vectoring":
                yield name, f"{name} is defined for this exit: name its value, or write {name}=_(reason)"
            continue
        if definition.defined is False:
            yield name, f"{name} is not defined for this exit: leave it out"
        if expectation.parts is None:
            continue
        bits = merge(expectation, getattr(facts, name, expectation.bits))
        if expectation.bits.value & beyond_address_size(definition.format, context):
            message = f"{name}: bits beyond the address size, {context.address_size} bits, are not defined"
            yield name, f"{message}: leave them out"
        for row in TABLES.formats[definition.format]:
            state = is_defined(row, bits, context)
            if row.name in expectation.parts:
                if state is False:
                    yield f"{name}.{row.name}", f"{name}: {row.name} is not defined here: leave it out"
            elif state and row.values != "FLAG":
                message = f"{name}: {row.name} is defined here: give it a value, or _(reason)"
                yield f"{name}.{row.name}", message


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
    exit = ExpectedExit(line, reason, words[1][0], code, interpret(reason, written), tuple(comments), remark)
    for _, message in problems_of(exit, exit.facts):
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
        self.end_fields: dict[str, Expectation] = {}
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
        name = words[1][0] if len(words) >= 2 else ""
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
        for word in words[2:]:
            if name != "EXIT_PORT" or word["name"] not in STATES:
                raise _Problem(f"stands behind the outcome, where only EXIT_PORT has a state: {word[0]}")
            text = word["braces"] or word["value"]
            self.end_fields[word["name"]] = _expectation(word["name"], FORMATS[word["name"]], text)
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
            self.end_fields,
        )


def parse_trace(text: str, path: Path) -> TraceFile:
    """A trace file's text. `path` is for messages, and its stem
    is the name that every guest must have. Raises TraceError.
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
                    raise _Problem(
                        f"[{header[1]}] is not a guest of {path.stem}: a trace is named after its guest"
                    )
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
        raise TraceError(f"{in_project(path)}:{number}: {problem}") from None
    return TraceFile(path, tuple(preamble), guests)


def load_trace(path: Path) -> TraceFile:
    """Reads a trace file. Raises TraceError, also when it cannot be read."""
    try:
        return parse_trace(path.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise TraceError(f"{in_project(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TraceError(
            f"{in_project(path)}: is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None


def trace_path(folder: Path, guest_name: str) -> Path:
    """The trace file for a guest, in the folder of expected traces."""
    return folder / f"{guest_name.partition('.')[0]}.trace"


def stray_guests(trace: TraceFile, guests: Iterable[str]) -> list[str]:
    """The guests of a trace that the catalogue does not have: expectations that nothing would ever check."""
    known = set(guests)
    return [name for name in trace.guests if name not in known]
