"""Writes docs/records.md from src/trace/record.def: `python3 -m harness.schema`.

With `--check` nothing is written; the status is 1 when the page is out of date. A test does the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Iterable, Optional, Sequence

from harness.tables import PROJECT, TABLES, RecordField, RecordKind

PAGE = PROJECT / "docs" / "records.md"

_HEAD = """# Records

<!-- Made from src/trace/record.def by `python3 -m harness.schema`: change that file, and not this page. -->

This is schema version {version}. A recording is a sequence of records; [wire.md](wire.md) says how one
travels. A record is a CBOR map with small numbers as keys: key 0 says which kind of record it is, key 1
numbers the records of a recording from 0, and the other keys belong to the kind.

| type | values |
|---|---|
| UINT | 0 to 2^64-1 |
| TEXT | UTF-8 text |
| BYTES | bytes |
| REGISTERS | a map from number to value: {registers}; an absent one is 0 |
| MSRS | a map from MSR number to value |

| presence | meaning |
|---|---|
| ALWAYS | every record of the kind has the field |
| NONZERO | absent means 0, or empty |
| DEFINED | present where the architecture defines the field for this exit, or where it is known |

Readers keep keys and kinds that they do not know, so that fields can be added.
"""


def page() -> str:
    """The whole page, from the tables."""
    first = next(iter(TABLES.record_fields.values()))
    parts = [_HEAD.format(version=TABLES.schema_version, registers=_registers())]
    parts.append("## Every record\n\n" + _table(row for row in first.values() if row.record == "ANY"))
    parts += [_section(kind) for kind in TABLES.record_kinds.values()]
    return "\n".join(parts)


def _registers() -> str:
    """The general registers by number, for the explanation of REGISTERS."""
    return ", ".join(f"{number} {name}" for number, name in TABLES.value_sets["GENERAL_REGISTER"].items())


def _section(kind: RecordKind) -> str:
    """One kind of record."""
    table = _table(row for row in TABLES.record_fields[kind.name].values() if row.record != "ANY")
    return f"## {kind.kind}: {kind.name}\n\n{_sentence(kind.meaning)}\n\n{table}"


def _sentence(meaning: str) -> str:
    """A meaning of the table as a sentence."""
    return meaning[0].upper() + meaning[1:] + "."


def _table(rows: Iterable[RecordField]) -> str:
    """Fields of the schema, a line each."""
    lines = ["| key | field | type | presence | meaning |", "|---|---|---|---|---|"]
    for row in rows:
        meaning = row.meaning.replace("|", "\\|")
        lines.append(f"| {row.key} | `{row.name}` | {row.type} | {row.presence} | {meaning} |")
    return "\n".join(lines) + "\n"


def main(arguments: Optional[Sequence[str]] = None, path: Path = PAGE) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="harness.schema", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only tell whether the page is up to date")
    check = parser.parse_args(arguments).check
    current = path.read_text(encoding="utf-8") if path.exists() else ""
    if current == page():
        return 0
    if check:
        print(f"{path} is out of date: run python3 -m harness.schema", file=sys.stderr)
        return 1
    path.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
