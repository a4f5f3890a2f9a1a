"""What the bits of an exit's fields mean: every format
of src/vmx/exit_fields.def, and which fields an exit has.

`decode` takes one field apart; `definitions` says which exit-information fields the
architecture defines for an exit, and in which format; `exit_details` puts both
together for a record. The log, the expected traces and the failure display all write
fields as this module does: `name=value`, or the bare name of a flag that is set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional

from harness.tables import TABLES, Condition, ExitReason, Field

if TYPE_CHECKING:
    from harness.records import Exit, GuestBegin

ALL_BITS = (1 << 64) - 1

ENTRY_FAILURE = 1 << 31
"""The flag of the exit-reason field that a VM-entry failure sets (SDM, "Exit Reason")."""

# SDM, "Exceptions and Interrupts", the table of protected-mode exceptions and interrupts.
EXCEPTIONS: Mapping[int, str] = dict(
    enumerate("#DE #DB - #BP #OF #BR #UD #NM #DF - #TS #NP #SS #GP #PF - #MF #AC #MC #XM #VE #CP".split())
)
_DOUBLE_FAULT = 8
_ADDRESS_SIZES = {"16": 16, "32": 32, "64": 64}
_EXCEPTION_TYPES = ("hardware_exception", "privileged_software_exception", "software_exception")


@dataclass(frozen=True)
class Context:
    """What some conditions of exit_fields.def ask about the exit beside the field itself; None: not known."""

    outs: Optional[bool] = None
    is_64_bit: Optional[bool] = None
    nmi_unblocking_defined: Optional[bool] = None
    address_size: Optional[int] = None
    """The instruction's address size in bits; None where the instruction information does not give one."""


UNKNOWN = Context()


class Circumstances(NamedTuple):
    """What a recording says about a guest's whole run, as far as fields depend on it; None: not known."""

    capabilities: Optional[Mapping[int, int]] = None
    """The header's capability MSRs."""
    controls: Optional[Mapping[int, int]] = None
    """The control fields of GUEST_BEGIN, by their order in controls.def."""


NOTHING_KNOWN = Circumstances()


class Bits(NamedTuple):
    """A value of which only the bits in `known` are certain: an expected trace may leave some open."""

    value: int
    known: int = ALL_BITS


class Part(NamedTuple):
    """One named part of a decoded field; `text` is its value
    as it is written, `flag` says that only its name is.
    """

    name: str
    value: int
    text: str
    flag: bool

    def __str__(self) -> str:
        return self.name if self.flag else f"{self.name}={self.text}"


def value_text(field: Field, value: int) -> str:
    """The value of one field (already shifted down) in words, or as a number where it has no name."""
    if field.values == "HEX":
        return f"{value:#x}"
    if field.values in ("NUMBER", "FLAG"):
        return str(value)
    return TABLES.value_sets[field.values].get(value, str(value))


def parse_value(field: Field, text: str) -> int:
    """The number that `value_text` writes as `text`; plain numbers are understood for every field.

    Raises ValueError with what may stand there, also for a number that the field's bits cannot hold.
    """
    names = TABLES.value_sets.get(field.values, {})
    number = next((number for number, name in names.items() if name == text), None)
    if number is None:
        try:
            number = int(text, 0)
        except ValueError:
            wanted = f"one of {', '.join(names.values())}" if names else "a number"
            raise ValueError(f'{field.name} is {wanted}, not "{text}"') from None
    if number < 0:
        raise ValueError(f"{field.name} cannot be negative: {text}")
    if number > field.mask >> field.first:
        raise ValueError(f"{field.name} has {field.last - field.first + 1} bits, too few for {text}")
    return number


@lru_cache(maxsize=None)
def fields_by_name(format_name: str) -> Mapping[str, Field]:
    """The fields of a format by name. Raises KeyError for a format that exit_fields.def does not have."""
    return {field.name: field for field in TABLES.formats[format_name]}


def _condition_holds(condition: Condition, format_name: str, bits: Bits, context: Context) -> Optional[bool]:
    """Whether one term of a condition holds; None when that cannot be known."""
    if condition.name == "outs":
        return context.outs
    if condition.name == "not_64_bit":
        return None if context.is_64_bit is None else not context.is_64_bit
    if condition.name == "nmi_unblocking_defined":
        return context.nmi_unblocking_defined
    field = fields_by_name(format_name)[condition.name]
    if field.mask & ~bits.known:
        return None
    value = field.extract(bits.value)
    return (condition.value in (str(value), value_text(field, value))) != condition.negated


def applies(field: Field, bits: Bits, context: Context) -> Optional[bool]:
    """Whether all terms of the field's condition hold; None when that cannot be known."""
    results = [_condition_holds(condition, field.format, bits, context) for condition in field.conditions]
    if False in results:
        return False
    return None if None in results else True


def is_defined(field: Field, bits: Bits, context: Context) -> Optional[bool]:
    """Whether the SDM defines this field here; None when that cannot be known."""
    return False if field.undefined else applies(field, bits, context)


@lru_cache(maxsize=None)
def _is_qualification(format_name: str) -> bool:
    """Whether a format is one of the exit qualification,
    where the SDM clears the fields that do not apply.
    """
    reasons = TABLES.exit_reasons.values()
    formats = {reason.qualification for reason in reasons} | set(TABLES.qualification_of_vector.values())
    return format_name in formats - {"UNINTERPRETED"}


def beyond_address_size(format_name: str, context: Context) -> int:
    """The bits of a field that are undefined because they lie beyond the instruction's address size: of a
    displacement (SDM, "Basic VM-Exit Information")."""
    if format_name != "DISPLACEMENT" or context.address_size is None:
        return 0
    return ALL_BITS & ~((1 << context.address_size) - 1)


def reserved_bits(format_name: str, value: int, context: Context = UNKNOWN) -> int:
    """The bits of `value` that are set although they must be 0: reserved ones, and in an exit qualification
    those of fields whose condition does not hold (SDM, "Basic VM-Exit Information")."""
    covered = 0
    for field in TABLES.formats[format_name]:
        loose = not field.undefined and not _is_qualification(format_name)
        if loose or applies(field, Bits(value), context) is not False:
            covered |= field.mask
    return value & ~covered


def decode(format_name: str, value: int, context: Context = UNKNOWN) -> list[Part]:
    """The defined parts of a field, in the table's order; flags that are clear are left out.

    A part whose condition cannot be known in `context` is taken as defined.
    `valid` is left out of a format that has other parts, for they are only
    defined with it. Reserved bits that are set come last, as `reserved`.
    """
    value &= ~beyond_address_size(format_name, context)
    bits = Bits(value)
    parts = []
    for field in TABLES.formats[format_name]:
        if is_defined(field, bits, context) is False or field.name == "valid":
            continue
        number = field.extract(value)
        flag = field.values == "FLAG"
        if number or not flag:
            parts.append(Part(field.name, number, value_text(field, number), flag))
    if format_name in ("INTERRUPTION", "IDT_VECTORING"):
        parts = _name_vector(parts)
    if reserved := reserved_bits(format_name, value, context):
        parts.append(Part("reserved", reserved, f"{reserved:#x}", False))
    return parts


def _name_vector(parts: list[Part]) -> list[Part]:
    """Writes the vector of an exception by the exception's name
    (SDM, "Information for VM Exits Due to Vectored Events").
    """
    types = [part.text for part in parts if part.name == "type"]
    if not types or types[0] not in _EXCEPTION_TYPES:
        return parts
    return [
        part._replace(text=exception_name(part.value)) if part.name == "vector" else part for part in parts
    ]


def exception_name(vector: int) -> str:
    """The mnemonic of an exception, such as #PF; the number where the SDM gives it none."""
    name = EXCEPTIONS.get(vector, "-")
    return str(vector) if name == "-" else name


def exception_vector(name: str) -> int:
    """The vector that `exception_name` writes as `name`. Raises ValueError."""
    for vector, known in EXCEPTIONS.items():
        if name == known != "-":
            return vector
    names = " ".join(known for known in EXCEPTIONS.values() if known != "-")
    raise ValueError(f'vector is a number or one of {names}, not "{name}"')


def render(format_name: str, value: int, context: Context = UNKNOWN) -> str:
    """A field in words, such as `read linear_valid`; empty when every part is a clear flag."""
    return " ".join(str(part) for part in decode(format_name, value, context))


def reason_name(number: int) -> str:
    """The name of a basic exit reason; the number where the SDM assigns none."""
    reason = TABLES.exit_reasons.get(number)
    return reason.name if reason else str(number)


def next_name(number: int) -> str:
    """The name of what a handler decided after an exit; the number where exit_next.def has none."""
    row = TABLES.exit_nexts.get(number)
    return row.name if row else str(number)


def reason_flags(reason: int) -> list[Part]:
    """The flags of the exit-reason field above the basic reason, reserved bits among them."""
    return [part for part in decode("EXIT_REASON", reason) if part.name != "basic"]


def control_names(word: str, value: int) -> list[str]:
    """The names of the bits that are set in a control field (a CONTROL_WORD of controls.def), in bit order.

    Set bits without a name (reserved ones that must be 1 among them) come last, as one `unnamed=0x...`.
    """
    known = TABLES.controls[word]
    names = [control.name for bit, control in sorted(known.items()) if value >> bit & 1]
    unnamed = value & ~sum(1 << bit for bit in known)
    return names + ([f"unnamed={unnamed:#x}"] if unnamed else [])


def controls_in_force(begin: "GuestBegin") -> dict[str, list[str]]:
    """The names of the controls that are set, by control word, from a GUEST_BEGIN record."""
    return {
        word.name: control_names(word.name, begin.controls.get(number, 0))
        for number, word in enumerate(TABLES.control_words)
    }


class ExitField(NamedTuple):
    """An exit-information field: its name in logs and traces,
    and the attribute of an EXIT record that holds it.
    """

    name: str
    attribute: str


EXIT_FIELDS = (
    ExitField("length", "instruction_length"),
    ExitField("qualification", "qualification"),
    ExitField("instruction_information", "instruction_information"),
    ExitField("guest_linear_address", "guest_linear_address"),
    ExitField("guest_physical_address", "guest_physical_address"),
    ExitField("interruption", "interruption_information"),
    ExitField("error_code", "interruption_error_code"),
    ExitField("idt_vectoring", "idt_vectoring_information"),
    ExitField("idt_error_code", "idt_vectoring_error_code"),
)

# How fields are written that have no row in exit_reasons.def: a format of exit_fields.def, or a kind of
# number.
FORMATS: Mapping[str, str] = {
    "length": "NUMBER",
    "guest_linear_address": "HEX",
    "guest_physical_address": "HEX",
    "interruption": "INTERRUPTION",
    "error_code": "HEX",
    "idt_vectoring": "IDT_VECTORING",
    "idt_error_code": "HEX",
    "activity_state": "ACTIVITY_STATE",
    "interruptibility_state": "INTERRUPTIBILITY",
}


STATES = ("activity_state", "interruptibility_state")
"""What an exit saves of the guest that is nearly always 0: active, and nothing blocked."""


class Definition(NamedTuple):
    """Whether the architecture defines a field for an exit (None: not known), and its format (`NUMBER`,
    `HEX`, or one of exit_fields.def; `ZERO`: cleared by the processor; empty: not known)."""

    defined: Optional[bool]
    format: str


class Facts(NamedTuple):
    """The fields that decide about other fields, as far as
    they are known: from a record, or from an expected trace.
    """

    qualification: Bits = Bits(0, 0)
    interruption: Bits = Bits(0, 0)
    idt_vectoring: Bits = Bits(0, 0)
    is_64_bit: Optional[bool] = None
    string_information: Optional[bool] = True
    """Whether the processor gives instruction information for INS and OUTS (IA32_VMX_BASIC bit 54)."""
    has_segment: Optional[bool] = True
    """Whether the segment of INS or OUTS is usable."""
    instruction_information: Bits = Bits(0, 0)
    reports_nmi_unblocking: Optional[bool] = None
    """Whether the pin-based controls leave "NMI unblocking due to IRET" defined at all."""


def _is(format_name: str, bits: Bits, name: str, *texts: str) -> Optional[bool]:
    """Whether a part of a field has one of these values; None when its bits are not known."""
    field = fields_by_name(format_name)[name]
    if field.mask & ~bits.known:
        return None
    return value_text(field, field.extract(bits.value)) in texts


def _all(*results: Optional[bool]) -> Optional[bool]:
    """Logical and, where None is not known."""
    if False in results:
        return False
    return None if None in results else True


def _any(*results: Optional[bool]) -> Optional[bool]:
    """Logical or, where None is not known."""
    if True in results:
        return True
    return None if None in results else False


_SOFTWARE = ("software_interrupt", "privileged_software_exception", "software_exception")


def _software_event(facts: Facts) -> Optional[bool]:
    """Whether a software interrupt or exception exits, or was being delivered (SDM, "Information for VM
    Exits Due to Instruction Execution")."""
    results = []
    for format_name, bits in (("INTERRUPTION", facts.interruption), ("IDT_VECTORING", facts.idt_vectoring)):
        valid = _is(format_name, bits, "valid", "1")
        results.append(
            _all(valid, _is(format_name, bits, "type", *_SOFTWARE)) if valid is not False else False
        )
    return _any(*results)


def qualification_format(reason: ExitReason, facts: Facts) -> str:
    """The format of the exit qualification: of exit_fields.def, or ZERO; empty when that cannot be known.

    Only EXCEPTION depends on more than the reason: on the
    exception's vector (SDM, "Basic VM-Exit Information").
    """
    if reason.qualification != "EXCEPTION":
        return reason.qualification
    nmi = _is("INTERRUPTION", facts.interruption, "type", "nmi")
    vector = fields_by_name("INTERRUPTION")["vector"]
    if nmi is None or vector.mask & ~facts.interruption.known:
        return ""
    return (
        "ZERO"
        if nmi
        else TABLES.qualification_of_vector.get(vector.extract(facts.interruption.value), "ZERO")
    )


def context_of(reason: ExitReason, facts: Facts) -> Context:
    """What the formats of this exit's fields need to know about the exit."""
    outs = None
    if reason.qualification == "IO_INSTRUCTION":
        outs = _is("IO_INSTRUCTION", facts.qualification, "direction", "out")
    return Context(outs, facts.is_64_bit, _nmi_unblocking_defined(facts), _address_size(reason, facts))


def _not(result: Optional[bool]) -> Optional[bool]:
    """Logical not, where None is not known."""
    return None if result is None else not result


def _nmi_unblocking_defined(facts: Facts) -> Optional[bool]:
    """Whether "NMI unblocking due to IRET" is defined: bit 12 of the interruption information and of some
    exit qualifications (SDM, "Information for VM Exits Due to Vectored Events")."""
    double_fault = _all(
        _is("INTERRUPTION", facts.interruption, "valid", "1"),
        _is("INTERRUPTION", facts.interruption, "type", "hardware_exception"),
        _is("INTERRUPTION", facts.interruption, "vector", str(_DOUBLE_FAULT)),
    )
    return _all(
        facts.reports_nmi_unblocking,
        _not(_is("IDT_VECTORING", facts.idt_vectoring, "valid", "1")),
        _not(double_fault),
    )


def _address_size(reason: ExitReason, facts: Facts) -> Optional[int]:
    """The instruction's address size in bits, where its instruction information gives one."""
    format_name, bits = reason.instruction_information, facts.instruction_information
    field = {row.name: row for row in TABLES.formats.get(format_name, ())}.get("address_size")
    if field is None or field.mask & ~bits.known or applies(field, bits, UNKNOWN) is not True:
        return None
    text = value_text(field, field.extract(bits.value))
    return _ADDRESS_SIZES.get(text)


def definitions(reason: ExitReason, facts: Facts) -> dict[str, Definition]:
    """Which fields the architecture defines for an exit with
    this reason, by the names of EXIT_FIELDS, in their order.

    Follows exit_reasons.def and SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields".
    """
    qualification = qualification_format(reason, facts)
    qualified = None if not qualification else qualification not in ("ZERO", "UNINTERPRETED")
    information = reason.instruction_information
    informed: Optional[bool] = information not in ("NONE", "UNINTERPRETED")
    is_string = _is("IO_INSTRUCTION", facts.qualification, "string", "1")
    if information == "INS_OUTS":
        informed = _all(is_string, facts.string_information)
    linear: Optional[bool] = "LINEAR" in reason.also
    if "STRING_LINEAR" in reason.also:
        linear = _all(is_string, facts.has_segment)
    elif "LMSW_LINEAR" in reason.also:
        linear = _all(
            _is("CR_ACCESS", facts.qualification, "access", "lmsw"),
            _is("CR_ACCESS", facts.qualification, "lmsw_operand", "memory"),
        )
    elif "TRANSLATION_LINEAR" in reason.also:
        linear = _is("EPT_VIOLATION", facts.qualification, "linear_valid", "1")
    length: Optional[bool] = "LENGTH" in reason.also
    if "SOFTWARE_LENGTH" in reason.also:
        length = _software_event(facts)
    elif "TASK_LENGTH" in reason.also:
        gate = _is("TASK_SWITCH", facts.qualification, "source", "task_gate")
        length = _any(_not(gate), _software_event(facts))
    elif "APIC_LENGTH" in reason.also:
        delivery = _is("APIC_ACCESS", facts.qualification, "access", "linear_event_delivery")
        length = _all(delivery, _software_event(facts))
    interrupted = "INTERRUPTION" in reason.also
    coded: Optional[bool] = False
    if interrupted:
        valid = _is("INTERRUPTION", facts.interruption, "valid", "1")
        coded = valid and _is("INTERRUPTION", facts.interruption, "error_code", "1")
    vectoring = _is("IDT_VECTORING", facts.idt_vectoring, "valid", "1")
    vectoring_coded = vectoring and _is("IDT_VECTORING", facts.idt_vectoring, "error_code", "1")
    return {
        "length": Definition(length, "NUMBER"),
        "qualification": Definition(qualified, qualification),
        "instruction_information": Definition(informed, information),
        "guest_linear_address": Definition(linear, "HEX"),
        "guest_physical_address": Definition("PHYSICAL" in reason.also, "HEX"),
        "interruption": Definition(interrupted, "INTERRUPTION"),
        "error_code": Definition(coded, "HEX"),
        "idt_vectoring": Definition(vectoring, "IDT_VECTORING"),
        "idt_error_code": Definition(vectoring_coded, "HEX"),
    }


def is_64_bit(exit: "Exit") -> bool:
    """Whether the guest was in 64-bit mode: CS.L while IA32_EFER.LMA is 1 (SDM, "Guest Register State")."""
    return bool(exit.efer >> 10 & 1 and exit.cs_access_rights >> 13 & 1)


def _reports_nmi_unblocking(controls: Mapping[int, int]) -> bool:
    """Whether the pin-based controls are not "NMI exiting" without "virtual NMIs" (SDM, "Information for VM
    Exits Due to Vectored Events")."""
    pin = next(number for number, word in enumerate(TABLES.control_words) if word.name == "PIN")
    names = control_names("PIN", controls.get(pin, 0))
    return "NMI_EXITING" not in names or "VIRTUAL_NMIS" in names


def facts_of(exit: "Exit", circumstances: Circumstances = NOTHING_KNOWN) -> Facts:
    """The deciding fields of a record."""
    string = TABLES.capabilities["STRING_IO_INFORMATION"]
    capabilities, controls = circumstances
    has_string = capabilities is None or bool(capabilities.get(string.msr, 0) >> string.bit & 1)
    return Facts(
        Bits(exit.qualification),
        Bits(exit.interruption_information or 0),
        Bits(exit.idt_vectoring_information or 0),
        is_64_bit(exit),
        has_string,
        exit.guest_linear_address is not None,  # it is the kernel that reads the access rights
        Bits(exit.instruction_information or 0),
        None if controls is None else _reports_nmi_unblocking(controls),
    )


class Detail(NamedTuple):
    """One field of an exit, decoded. `value` is None when
    the record lacks a field that the architecture defines.
    """

    name: str
    value: Optional[int]
    format: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The field's value as logs and traces write it."""
        return value_in_words(self.value, self.format, self.parts)

    def __str__(self) -> str:
        return f"{self.name}={self.text}"


def value_in_words(value: Optional[int], format_name: str, parts: tuple[Part, ...] = ()) -> str:
    """A field's value: `missing`, a number, or the decoded parts in braces."""
    if value is None:
        return "missing"
    if format_name == "NUMBER":
        return str(value)
    if format_name in TABLES.formats:
        return "{" + " ".join(map(str, parts)) + "}"
    return f"{value:#x}"


def detail(name: str, value: Optional[int], format_name: str, context: Context = UNKNOWN) -> Detail:
    """One field, taken apart where its format is one of exit_fields.def."""
    parts: tuple[Part, ...] = ()
    if value is not None and format_name in TABLES.formats:
        parts = tuple(decode(format_name, value, context))
    return Detail(name, value, format_name, parts)


def unusual_states(exit: "Exit") -> list[Detail]:
    """The activity and interruptibility state that the exit saved, where they say more than "active" and
    "nothing blocked". A VM-entry failure saves neither."""
    if exit.reason & ENTRY_FAILURE:
        return []
    return [detail(name, getattr(exit, name), FORMATS[name]) for name in STATES if getattr(exit, name)]


def exit_details(exit: "Exit", circumstances: Circumstances = NOTHING_KNOWN) -> list[Detail]:
    """The exit-information fields that are defined for this exit, decoded, in the order of EXIT_FIELDS.

    A field that must be 0 and is not comes too, as a number; for a reason that the SDM does not assign, all
    that was recorded comes as numbers. Flags of the exit-reason field come first, as `flags`.
    """
    reason = TABLES.exit_reasons.get(exit.basic_reason)
    details = []
    if flags := tuple(reason_flags(exit.reason)):
        details.append(Detail("flags", exit.reason & ~0xFFFF, "EXIT_REASON", flags))
    facts = facts_of(exit, circumstances)
    if reason is None:
        for name, attribute in EXIT_FIELDS:
            if value := getattr(exit, attribute):
                details.append(detail(name, value, "HEX"))
        return details
    context = context_of(reason, facts)
    for (name, attribute), definition in zip(EXIT_FIELDS, definitions(reason, facts).values()):
        value = getattr(exit, attribute)
        if definition.defined:
            details.append(detail(name, value, definition.format, context))
        elif value and (definition.format == "ZERO" or name == "idt_vectoring"):
            details.append(detail(name, value, "HEX"))
    return details
