"""The kernel's X-macro tables (src/**/*.def), read from the very files that the kernel is compiled from.

Every other module of the harness that needs a name, a number or a bit layout takes it from `TABLES`; nothing
that stands in a .def file is written down again in Python. Each table is parsed when it is first used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, NoReturn, TypeVar, Union

PROJECT = Path(__file__).resolve().parent.parent


def in_project(path: Path) -> Path:
    """How a path is shown in messages: relative to the project, where it lies in it."""
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path


Argument = Union[str, int, tuple[str, ...]]
RowType = TypeVar("RowType")


class TableError(Exception):
    """A table does not have the form that its head comment
    describes. The message names the file and the line.
    """


@dataclass(frozen=True)
class ExitReason:
    """A basic exit reason, and which exit-information fields the architecture defines for it."""

    number: int
    name: str
    handler: str
    qualification: str
    instruction_information: str
    also: frozenset[str]
    position: str
    title: str


@dataclass(frozen=True)
class Condition:
    """One term of a field's condition: `name=value`, `name!=value`, or a bare word (value is then empty)."""

    name: str
    value: str
    negated: bool


@dataclass(frozen=True)
class Field:
    """A run of bits in one format: bits `last` down to `first`, both included."""

    format: str
    name: str
    last: int
    first: int
    values: str
    conditions: tuple[Condition, ...]
    undefined: bool

    @property
    def mask(self) -> int:
        """The field's bits, in place."""
        return ((1 << (self.last - self.first + 1)) - 1) << self.first

    def extract(self, value: int) -> int:
        """The field's value in `value`, shifted down to bit 0."""
        return (value & self.mask) >> self.first


@dataclass(frozen=True)
class ControlWord:
    """One of the VMX control fields, and the capability MSRs that say which of its bits may be set."""

    name: str
    vmcs_field: str
    msr: int
    true_msr: int
    title: str


@dataclass(frozen=True)
class Control:
    """One bit of a VMX control field."""

    word: str
    bit: int
    name: str
    title: str


@dataclass(frozen=True)
class VmcsField:
    """A VMCS field and its encoding (SDM, "Field Encoding in VMCS")."""

    encoding: int
    name: str


@dataclass(frozen=True)
class InstructionError:
    """A VM-instruction error (SDM, "VM Instruction Error Numbers")."""

    number: int
    name: str
    meaning: str


@dataclass(frozen=True)
class Capability:
    """A bit of a VMX capability MSR that is not a control."""

    name: str
    msr: int
    bit: int
    title: str


@dataclass(frozen=True)
class CpuidFeature:
    """A CPUID bit that micro-guests can ask for; `register` 0 to 3 is EAX, EBX, ECX, EDX."""

    name: str
    leaf: int
    subleaf: int
    register: int
    bit: int


@dataclass(frozen=True)
class RecordKind:
    """A kind of record on the wire."""

    kind: int
    name: str
    meaning: str


@dataclass(frozen=True)
class RecordField:
    """One field of one kind of record (record `ANY`: of all kinds)."""

    record: str
    key: int
    name: str
    type: str
    presence: str
    meaning: str


@dataclass(frozen=True)
class Named:
    """A row of a number, a name and a meaning: outcomes, stops, and what handlers decide."""

    code: int
    name: str
    meaning: str


@dataclass(frozen=True)
class Note:
    """A kind of note in a micro-guest's head; `layout` is a
    sequence of (type, name), with types u32, u64 and text.
    """

    type: int
    name: str
    layout: tuple[tuple[str, str], ...]
    meaning: str


@dataclass(frozen=True)
class Mode:
    """A processor mode that a micro-guest can start in; `bits` is its code size, 16, 32 or 64."""

    number: int
    name: str
    bits: int
    meaning: str


# The rows that each file may hold; a row of another name is a spelling mistake.
_MACROS = {
    "vmx/exit_reasons.def": ("EXIT_REASON",),
    "vmx/exit_fields.def": ("VALUE", "QUALIFICATION_OF_VECTOR", "FIELD"),
    "vmx/controls.def": ("CONTROL_WORD", "CONTROL"),
    "vmx/vmcs_fields.def": ("VMCS_FIELD",),
    "vmx/exit_next.def": ("EXIT_NEXT",),
    "vmx/instruction_errors.def": ("INSTRUCTION_ERROR",),
    "vmx/capabilities.def": ("CAPABILITY",),
    "arch/x86_64/cpuid_features.def": ("CPUID_FEATURE",),
    "trace/record.def": ("RECORD_SCHEMA", "RECORD", "RECORD_FIELD"),
    "guest/outcomes.def": ("OUTCOME",),
    "guest/notes.def": ("NOTE",),
    "guest/modes.def": ("MODE",),
    "stops.def": ("STOP",),
}
# The words that exit_reasons.def uses for the exit-information fields beside qualification and instruction
# information.
_ALSO = frozenset(
    "LENGTH LINEAR PHYSICAL INTERRUPTION SOFTWARE_LENGTH TASK_LENGTH APIC_LENGTH STRING_LINEAR LMSW_LINEAR"
    " TRANSLATION_LINEAR".split()
)
# The words that may stand as terms of a condition in exit_fields.def, beside `undefined`.
_WORDS = ("outs", "not_64_bit", "nmi_unblocking_defined")
_POSITIONS = ("FAULT", "TRAP", "BETWEEN", "ENTRY")
_RECORD_TYPES = ("UINT", "TEXT", "BYTES", "REGISTERS", "MSRS")
_PRESENCES = ("ALWAYS", "NONZERO", "DEFINED")

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_SPACE = re.compile(r"\s*")
_ROW = re.compile(r"([A-Z][A-Z0-9_]*)\s*\(")
_ARGUMENT = re.compile(
    r"""\s*(?:"(?P<string>(?:[^"\\\n]|\\.)*)"
         |(?P<number>0[xX][0-9a-fA-F]+\b|\d+\b)
         |(?P<words>[A-Za-z_]\w*(?:\s*\|\s*[A-Za-z_]\w*)*)
        )\s*(?P<end>[,)])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Row:
    """One row as it stands in the file: the macro's name, its arguments, and where it is."""

    macro: str
    arguments: tuple[Argument, ...]
    path: Path
    line: int

    def fail(self, message: str) -> NoReturn:
        raise TableError(f"{self.path}:{self.line}: {self.macro}: {message}")

    def check(self, shape: str) -> None:
        """Demands arguments of this shape: a letter each, n
        number, w word, s string, l list of words, v any scalar.
        """
        if len(self.arguments) != len(shape):
            self.fail(f"has {len(self.arguments)} arguments where {len(shape)} belong")
        for position, (argument, letter) in enumerate(zip(self.arguments, shape), 1):
            words = isinstance(argument, tuple)
            good = {
                "n": isinstance(argument, int),
                "w": isinstance(argument, tuple) and len(argument) == 1,
                "s": isinstance(argument, str),
                "l": words,
                "v": isinstance(argument, int) or words,
            }[letter]
            if not good:
                wanted = {
                    "n": "a number",
                    "w": "a name",
                    "s": "a string",
                    "l": "names",
                    "v": "a name or number",
                }
                self.fail(f"argument {position} should be {wanted[letter]}, not {argument!r}")

    def number(self, position: int) -> int:
        argument = self.arguments[position]
        assert isinstance(argument, int)
        return argument

    def text(self, position: int) -> str:
        argument = self.arguments[position]
        return argument[0] if isinstance(argument, tuple) else str(argument)

    def words(self, position: int) -> tuple[str, ...]:
        argument = self.arguments[position]
        assert isinstance(argument, tuple)
        return argument


def _blank(match: re.Match[str]) -> str:
    """What a comment or directive leaves behind: its line ends, so that line numbers stay right."""
    return "\n" * match.group().count("\n")


def _rows(path: Path) -> Iterator[_Row]:
    """The rows of a table file, in order. Raises TableError
    for anything that is neither row, comment nor directive.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from error
    text = _DIRECTIVE.sub("", _COMMENT.sub(_blank, text))
    end = len(text.rstrip())
    position = 0
    line = 1
    counted = 0
    while position < end:
        start = _SPACE.match(text, position).end()  # type: ignore[union-attr]
        line += text.count("\n", counted, start)
        counted = start
        opening = _ROW.match(text, start)
        if opening is None:
            raise TableError(
                f"{path}:{line}: not a row of the form NAME(arguments): {text[start:end].splitlines()[0]}"
            )
        arguments: list[Argument] = []
        position = opening.end()
        while True:
            match = _ARGUMENT.match(text, position)
            if match is None:
                raise TableError(f"{path}:{line}: {opening[1]}: argument {len(arguments) + 1} cannot be read")
            if match["string"] is not None:
                arguments.append(re.sub(r"\\(.)", r"\1", match["string"]))
            elif match["number"] is not None:
                arguments.append(int(match["number"], 0))
            else:
                arguments.append(tuple(word.strip() for word in match["words"].split("|")))
            position = match.end()
            if match["end"] == ")":
                break
        yield _Row(opening[1], tuple(arguments), path, line)


def _conditions(row: _Row, text: str) -> tuple[tuple[Condition, ...], bool]:
    """A FIELD row's condition as terms, and whether the word `undefined` is among them."""
    conditions: list[Condition] = []
    undefined = False
    for term in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\w+)(?:(!?=)(\w+))?", term)
        if match is None:
            row.fail(f'the condition "{term}" is neither name=value, name!=value nor a word')
        if term == "undefined":
            undefined = True
        elif match[2] is None and term not in _WORDS:
            row.fail(f'the condition "{term}" is not known')
        else:
            conditions.append(Condition(match[1], match[3] or "", match[2] == "!="))
    return tuple(conditions), undefined


class Tables:
    """All tables under one source folder. Mappings are keyed by number; `..._named` ones by name."""

    def __init__(self, source: Path) -> None:
        self.source = source

    def _table(self, name: str, macro: str, shape: str, make: Callable[[_Row], RowType]) -> list[RowType]:
        """The rows of `macro` in the table file `name`, checked against `shape`."""
        result = []
        for row in self._file(name):
            if row.macro == macro:
                row.check(shape)
                result.append(make(row))
        if not result:
            raise TableError(f"{self.source / name}: has no {macro} row")
        return result

    def _file(self, name: str) -> list[_Row]:
        """The rows of a table file, parsed once however many tables it holds."""
        if name not in self._files:
            rows = list(_rows(self.source / name))
            known = _MACROS[name]
            for row in rows:
                if row.macro not in known:
                    row.fail(f"no such row here; {name} has {', '.join(known)}")
            self._files[name] = rows
        return self._files[name]

    @cached_property
    def _files(self) -> dict[str, list[_Row]]:
        return {}

    @cached_property
    def exit_reasons(self) -> Mapping[int, ExitReason]:
        """Basic exit reasons by number."""

        def make(row: _Row) -> ExitReason:
            also = frozenset(row.words(5)) - {"NONE"}
            if unknown := also - _ALSO:
                row.fail(f"unknown exit-information field {', '.join(sorted(unknown))}")
            if row.text(6) not in _POSITIONS:
                row.fail(f"unknown position {row.text(6)}")
            return ExitReason(
                row.number(0),
                row.text(1),
                row.text(2),
                row.text(3),
                row.text(4),
                also,
                row.text(6),
                row.text(7),
            )

        return _unique(self._table("vmx/exit_reasons.def", "EXIT_REASON", "nwwwwlws", make), "number")

    @cached_property
    def exit_reason_named(self) -> Mapping[str, ExitReason]:
        """Basic exit reasons by name."""
        return _unique(self.exit_reasons.values(), "name")

    @cached_property
    def formats(self) -> Mapping[str, tuple[Field, ...]]:
        """The fields of each format of exit_fields.def, in the file's order."""

        def make(row: _Row) -> Field:
            conditions, undefined = _conditions(row, row.text(5))
            field = Field(
                row.text(0), row.text(1), row.number(2), row.number(3), row.text(4), conditions, undefined
            )
            if not 63 >= field.last >= field.first >= 0:
                row.fail(f"bits {field.last} down to {field.first} are not a range")
            if field.values not in ("NUMBER", "HEX", "FLAG") and field.values not in self.value_sets:
                row.fail(f"there is no VALUE set {field.values}")
            return field

        result: dict[str, tuple[Field, ...]] = {}
        for field in self._table("vmx/exit_fields.def", "FIELD", "wwnnws", make):
            result[field.format] = result.get(field.format, ()) + (field,)
        return result

    @cached_property
    def value_sets(self) -> Mapping[str, Mapping[int, str]]:
        """The named values of each set of exit_fields.def, by number."""
        result: dict[str, dict[int, str]] = {}
        rows = self._table(
            "vmx/exit_fields.def", "VALUE", "wnv", lambda row: (row.text(0), row.number(1), row.text(2))
        )
        for name, number, text in rows:
            result.setdefault(name, {})[number] = text
        return result

    @cached_property
    def qualification_of_vector(self) -> Mapping[int, str]:
        """The exit-qualification format of each exception vector that has one."""
        rows = self._table(
            "vmx/exit_fields.def",
            "QUALIFICATION_OF_VECTOR",
            "nw",
            lambda row: (row.number(0), row.text(1)),
        )
        return dict(rows)

    @cached_property
    def control_words(self) -> tuple[ControlWord, ...]:
        """The control fields, in the order in which a GUEST_BEGIN record numbers them."""
        return tuple(
            self._table(
                "vmx/controls.def",
                "CONTROL_WORD",
                "wwnns",
                lambda row: ControlWord(row.text(0), row.text(1), row.number(2), row.number(3), row.text(4)),
            )
        )

    @cached_property
    def controls(self) -> Mapping[str, Mapping[int, Control]]:
        """The bits of each control field: by the word's name, then by bit number."""
        result: dict[str, dict[int, Control]] = {word.name: {} for word in self.control_words}

        def make(row: _Row) -> Control:
            if row.text(0) not in result:
                row.fail(f"there is no CONTROL_WORD {row.text(0)}")
            return Control(row.text(0), row.number(1), row.text(2), row.text(3))

        for control in self._table("vmx/controls.def", "CONTROL", "wnws", make):
            result[control.word][control.bit] = control
        return result

    @cached_property
    def vmcs_fields(self) -> Mapping[int, VmcsField]:
        """VMCS fields by encoding."""
        rows = self._table(
            "vmx/vmcs_fields.def", "VMCS_FIELD", "nw", lambda row: VmcsField(row.number(0), row.text(1))
        )
        return _unique(rows, "encoding")

    @cached_property
    def instruction_errors(self) -> Mapping[int, InstructionError]:
        """VM-instruction errors by number."""
        rows = self._table(
            "vmx/instruction_errors.def",
            "INSTRUCTION_ERROR",
            "nws",
            lambda row: InstructionError(row.number(0), row.text(1), row.text(2)),
        )
        return _unique(rows, "number")

    @cached_property
    def capabilities(self) -> Mapping[str, Capability]:
        """Capability bits by name."""
        rows = self._table(
            "vmx/capabilities.def",
            "CAPABILITY",
            "wnns",
            lambda row: Capability(row.text(0), row.number(1), row.number(2), row.text(3)),
        )
        return _unique(rows, "name")

    @cached_property
    def cpuid_features(self) -> Mapping[str, CpuidFeature]:
        """CPUID features by name."""
        rows = self._table(
            "arch/x86_64/cpuid_features.def",
            "CPUID_FEATURE",
            "wnnnn",
            lambda row: CpuidFeature(row.text(0), row.number(1), row.number(2), row.number(3), row.number(4)),
        )
        return _unique(rows, "name")

    @cached_property
    def schema_version(self) -> int:
        """The version of the record schema."""
        return self._table("trace/record.def", "RECORD_SCHEMA", "n", lambda row: row.number(0))[0]

    @cached_property
    def record_kinds(self) -> Mapping[int, RecordKind]:
        """Kinds of record by number."""
        rows = self._table(
            "trace/record.def",
            "RECORD",
            "nws",
            lambda row: RecordKind(row.number(0), row.text(1), row.text(2)),
        )
        return _unique(rows, "kind")

    @cached_property
    def record_fields(self) -> Mapping[str, Mapping[int, RecordField]]:
        """The fields of each kind of record by its name, then by key; those of `ANY` belong to every kind."""
        names = {kind.name for kind in self.record_kinds.values()}

        def make(row: _Row) -> RecordField:
            if row.text(0) != "ANY" and row.text(0) not in names:
                row.fail(f"there is no RECORD {row.text(0)}")
            if row.text(3) not in _RECORD_TYPES or row.text(4) not in _PRESENCES:
                row.fail(f"{row.text(3)} {row.text(4)} is no type and presence")
            return RecordField(row.text(0), row.number(1), row.text(2), row.text(3), row.text(4), row.text(5))

        rows = self._table("trace/record.def", "RECORD_FIELD", "wnwwws", make)
        common = [field for field in rows if field.record == "ANY"]
        return {
            name: {field.key: field for field in common + [row for row in rows if row.record == name]}
            for name in (kind.name for kind in self.record_kinds.values())
        }

    @cached_property
    def outcomes(self) -> Mapping[int, Named]:
        """How a guest's run can end, by code."""
        return self._named("guest/outcomes.def", "OUTCOME")

    @cached_property
    def stops(self) -> Mapping[int, Named]:
        """Why the kernel ends, by code."""
        return self._named("stops.def", "STOP")

    @cached_property
    def exit_nexts(self) -> Mapping[int, Named]:
        """What a handler can decide about the guest after an exit, by number."""
        return self._named("vmx/exit_next.def", "EXIT_NEXT")

    def _named(self, name: str, macro: str) -> Mapping[int, Named]:
        rows = self._table(name, macro, "nws", lambda row: Named(row.number(0), row.text(1), row.text(2)))
        return _unique(rows, "code")

    @cached_property
    def notes(self) -> Mapping[int, Note]:
        """The notes of a micro-guest's head, by type."""

        def make(row: _Row) -> Note:
            layout = tuple(tuple(part.split()) for part in row.text(2).split(",") if part.strip())
            if any(len(part) != 2 or part[0] not in ("u32", "u64", "text") for part in layout):
                row.fail(f'the layout "{row.text(2)}" is not made of u32, u64 and text, each with a name')
            return Note(row.number(0), row.text(1), tuple((part[0], part[1]) for part in layout), row.text(3))

        return _unique(self._table("guest/notes.def", "NOTE", "nwss", make), "type")

    @cached_property
    def modes(self) -> Mapping[int, Mode]:
        """The processor modes that a guest can start in, by number."""
        rows = self._table(
            "guest/modes.def",
            "MODE",
            "nwns",
            lambda row: Mode(row.number(0), row.text(1), row.number(2), row.text(3)),
        )
        return _unique(rows, "number")

    @cached_property
    def layout(self) -> Mapping[str, int]:
        """The constants of src/guest/layout.h, by their names."""
        return self._constants("guest/layout.h")

    @cached_property
    def exit_port(self) -> int:
        """The I/O port that ends a guest, from src/vmx/exit_port.h."""
        return self._constants("vmx/exit_port.h")["EXIT_PORT"]

    def _constants(self, name: str) -> Mapping[str, int]:
        """The numbers that a header of nothing but constants defines, by their names."""
        path = self.source / name
        text = path.read_text(encoding="utf-8")
        pairs = re.findall(r"^#define[ \t]+(\w+)[ \t]+(0[xX][0-9a-fA-F]+|\d+)\b", text, re.MULTILINE)
        if not pairs:
            raise TableError(f"{path}: has no #define of a number")
        return {name: int(number, 0) for name, number in pairs}


def _unique(rows: Iterable[RowType], key: str) -> dict[Any, RowType]:
    """The rows by the value of their attribute `key`. Raises TableError when two rows share it."""
    result: dict[Any, RowType] = {}
    for row in rows:
        value = getattr(row, key)
        if value in result:
            raise TableError(f"{type(row).__name__} {value} stands twice: {result[value]} and {row}")
        result[value] = row
    return result


TABLES = Tables(PROJECT / "src")
