"""Writes docs/records.md from src/trace/record.def: `python3 -m harness.schema`.

With `--check` nothing is written; the status is 1 when the page is out of date. A test does the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from harness.tables import PROJECT, TABLES, RecordKind

PAGE = PROJECT / "docs" / "records.md"

_HEAD = """# Records

<!-- Made from src/trace/record.def by `python3 -m harness.schema`: change that file, and not this page. -->

This is schema version {version}. A recording is a sequence of records; [wire.md](wire.md) says how one
travels. A record is a CBOR map with small numbers as keys: key 0 says which kind of record it is, key 1 numbers
the records of a recording from 0, and the other keys belong to the kind.

| type | values |
|---|---|
| UINT | 0 to 2^64-1 |
| TEXT | UTF-8 text |
| BYTES | bytes |
| REGISTERS | a map from number to value: {registers}, unless the field says otherwise; an absent one is 0 |
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
    common = next(iter(TABLES.record_fields.values()))
    rows = [field for field in common.values() if field.record == "ANY"]
    parts = [_HEAD.format(version=TABLES.schema_version, registers=_registers())]
    parts.append(
        "## Every record\n\n"
        + _table([(row.key, row.name, row.type, row.presence, row.meaning) for row in rows])
    )
    for kind in TABLES.record_kinds.values():
        parts.append(_section(kind))
    return "\n".join(parts)


def _registers() -> str:
    """The general registers by number, for the explanation of REGISTERS."""
    return ", ".join(f"{number} {name}" for number, name in TABLES.value_sets["GENERAL_REGISTER"].items())


def _section(kind: RecordKind) -> str:
    """One kind of record."""
    fields = [field for field in TABLES.record_fields[kind.name].values() if field.record != "ANY"]
    rows = [(field.key, field.name, field.type, field.presence, field.meaning) for field in fields]
    return f"## {kind.kind}: {kind.name}\n\n{_sentence(kind.meaning)}\n\n{_table(rows)}"


def _sentence(meaning: str) -> str:
    """A meaning of the table as a sentence."""
    return meaning[0].upper() + meaning[1:] + "."


def _table(rows: Sequence[tuple[int, str, str, str, str]]) -> str:
    """The fields of one kind of record."""
    lines = ["| key | field | type | presence | meaning |", "|---|---|---|---|---|"]
    for key, name, type_name, presence, meaning in rows:
        text = meaning.replace("|", "\\|")
        lines.append(f"| {key} | `{name}` | {type_name} | {presence} | {text} |")
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
