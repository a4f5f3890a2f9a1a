"""The known departures of machines from the architecture: tests/deviations/<machine>.toml.

A deviation turns the failure that it describes into an XFAIL, and its
absence into an XPASS, so that the lists stay true. It never changes an
expected trace. The verdicts use it; docs/expected-traces.md shows an entry.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Protocol, Sequence

from harness.guests import literal_brackets, matches
from harness.tables import in_project

if TYPE_CHECKING:
    from harness.comparison import Difference


class DeviationError(Exception):
    """A list of deviations is not written as it must be. The message names the file and the entry."""


class Identity(Protocol):
    """Which machine a run was made on."""

    @property
    def version(self) -> str:
        """The machine's version, such as `2.7`; empty where it has none."""

    @property
    def model(self) -> str:
        """The processor model that the machine was told to be; empty where it has none."""


@dataclass(frozen=True)
class Deviation:
    """One departure. `guest`, `models`, `versions` and `fields` are patterns with * and ?.

    `fields` are the fields that come out wrong, as comparison.Difference names them: `length`,
    `qualification.access`, `outcome`, `missing`, `extra` and so on; a field stands for its parts too.
    `values` says what some of them come as, in the failure display's words, as patterns by field; one that
    is not there may come as anything. `section` is the title of the SDM section that says what was
    `expected`; `came` says what the machine does instead, and `proof` how that was shown. `place` is where
    the entry stands: the file, its number.
    """

    guest: str
    models: tuple[str, ...]
    versions: tuple[str, ...]
    fields: tuple[str, ...]
    section: str
    expected: str
    came: str
    proof: str
    values: tuple[tuple[str, str], ...] = ()
    place: str = ""

    @property
    def summary(self) -> str:
        """The deviation in one line."""
        return f'{", ".join(self.fields)}: {self.came}, where the SDM ("{self.section}") says {self.expected}'


_TEXTS = ("guest", "section", "expected", "came", "proof")
_LISTS = ("models", "versions", "fields")
_VALUES = "values"


def _deviation(entry: Any, where: str) -> Deviation:
    """One entry of the file. Raises DeviationError."""
    if not isinstance(entry, dict):
        raise DeviationError(f"{where} is no table: write [[deviation]] above it")
    if isinstance(entry.get("guest"), str):
        where += f" ({entry['guest']})"
    if unknown := sorted(set(entry) - {*_TEXTS, *_LISTS, _VALUES}):
        known = ", ".join((*_TEXTS, *_LISTS, _VALUES))
        raise DeviationError(f"{where} has {', '.join(unknown)}, which is not known; there are: {known}")
    read: dict[str, Any] = {}
    for name in _TEXTS:
        value = entry.get(name)
        if not isinstance(value, str) or not value.strip():
            raise DeviationError(f"{where} needs {name}, a text")
        read[name] = value
    for name in _LISTS:
        value = entry.get(name)
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise DeviationError(f'{where} needs {name}, a text or a list of texts ("*" for all)')
        read[name] = tuple(value)
    if any(not pattern.strip("*?") for pattern in read["fields"]):
        raise DeviationError(f"{where} excuses every field: name in fields those that come out wrong")
    return Deviation(**read, values=_values(entry.get(_VALUES, {}), read["fields"], where), place=where)


def _values(entry: Any, fields: Sequence[str], where: str) -> tuple[tuple[str, str], ...]:
    """What fields come as, of one entry of the file. Raises DeviationError."""
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise DeviationError(
            f'{where} needs values to be texts by field, quoted: {{ "field.part" = "part=value" }}'
        )
    for name in entry:
        if not any(_names(pattern, name) for pattern in fields):
            raise DeviationError(f"{where} has a value for {name}, which is not among its fields")
    return tuple(entry.items())


def load_deviations(path: Path) -> tuple[Deviation, ...]:
    """The deviations of one file; none when there is no such file. Raises DeviationError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviationError(f"{in_project(path)}: is no TOML: {error}") from None
    entries = content.pop("deviation", [])
    if content or not isinstance(entries, list):
        raise DeviationError(f"{in_project(path)}: holds nothing but entries [[deviation]]")
    return tuple(
        _deviation(entry, f"{in_project(path)}: entry {number}") for number, entry in enumerate(entries, 1)
    )


def applies(deviation: Deviation, guest: str, identity: Identity) -> bool:
    """Whether a deviation is about this guest on this machine."""
    return (
        matches(guest, deviation.guest)
        and any(fnmatchcase(identity.model, pattern) for pattern in deviation.models)
        and any(fnmatchcase(identity.version, pattern) for pattern in deviation.versions)
    )


def covers(deviations: Iterable[Deviation], differences: Sequence["Difference"]) -> bool:
    """Whether the deviations explain every difference, and
    there is one. A trace's own faults are never explained.
    """
    listed = tuple(deviations)
    return bool(differences) and all(
        difference.kind != "trace" and any(_explains(deviation, difference) for deviation in listed)
        for difference in differences
    )


def _explains(deviation: Deviation, difference: "Difference") -> bool:
    """Whether a deviation is about the field that differs, and what came is what it says."""
    return any(_names(pattern, difference.field) for pattern in deviation.fields) and all(
        fnmatchcase(difference.actual, literal_brackets(value))
        for field, value in deviation.values
        if _names(field, difference.field)
    )


def _names(pattern: str, field: str) -> bool:
    """Whether a pattern names a field, or the field that it is a part of."""
    return fnmatchcase(field, pattern) or fnmatchcase(field.partition(".")[0], pattern)
