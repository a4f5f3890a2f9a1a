"""Recordings and machines that are made by hand, for the tests of the harness: no emulator runs here."""

from __future__ import annotations

import stat
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.machines import Ending, EndKind, Identity, Limits
from harness.tables import TABLES
from harness.wire import encode

_KINDS = {kind.name: kind.kind for kind in TABLES.record_kinds.values()}
_KEYS = {
    name: {field.name: key for key, field in fields.items()} for name, fields in TABLES.record_fields.items()
}
_SEQUENCE = _KEYS["HEADER"]["sequence"]
OUTCOMES = {outcome.name: outcome.code for outcome in TABLES.outcomes.values()}
STOPS = {stop.name: stop.code for stop in TABLES.stops.values()}
_DEFAULTS: dict[str, object] = {"UINT": 0, "TEXT": "", "BYTES": b"", "REGISTERS": {}, "MSRS": {}}


class Recording:
    """Writes frames one after another, and counts their sequence numbers."""

    def __init__(self) -> None:
        self._sequence = 0
        self.data = b""

    def record(self, kind: str, /, **fields: object) -> bytes:
        """One record of this kind: what is not given and must be there is 0 or empty."""
        values = {
            field.name: _DEFAULTS[field.type]
            for field in TABLES.record_fields[kind].values()
            if field.presence == "ALWAYS"
        }
        values |= fields | {"kind": _KINDS[kind]}
        return self.item({_KEYS[kind][field]: value for field, value in values.items()})

    def item(self, item: dict[int, Any]) -> bytes:
        """One record from its map; it gets the next sequence number."""
        data = encode(dict(sorted((item | {_SEQUENCE: self._sequence}).items())))
        self._sequence += 1
        self.data += data
        return data

    def text(self, line: str) -> bytes:
        """A line of console text."""
        data = f"{line}\r\n".encode()
        self.data += data
        return data

    def begin(self, index: int, name: str) -> bytes:
        return self.record("GUEST_BEGIN", index=index, name=name)

    def end(self, index: int, exits: int = 0, outcome: str = "EXIT_PORT", **fields: object) -> bytes:
        return self.record("GUEST_END", index=index, exits=exits, outcome=OUTCOMES[outcome], **fields)

    def stop(self, name: str = "DONE", detail: str = "") -> bytes:
        return self.text(f"exitscope: stop {name}: {detail}") + self.record(
            "END", stop=STOPS[name], detail=detail
        )


class FakeMachine:
    """A machine whose kernel is a Python function: it gets the words of the command line and the number of
    processors, and gives the bytes to send; how the machine ends is its return value (None: cleanly).
    """

    takes_image = True

    def __init__(self, kernel: Callable[[list[str], int], Iterator[bytes]], name: str = "fake") -> None:
        self.identity = Identity(name, "1.0", "model")
        self.kernel = kernel
        self.boots: list[tuple[list[str], int]] = []

    def check(self) -> None:
        pass

    def boot(self, image: Path, processors: int, limits: Limits) -> FakeBoot:
        words = image.name.split()
        self.boots.append((words, processors))
        return FakeBoot(self.kernel(words, processors))


class FakeBoot:
    """One boot of a fake machine."""

    def __init__(self, sent: Iterator[bytes]) -> None:
        self._sent = sent
        self.ending = Ending(EndKind.CLEAN)

    def __enter__(self) -> FakeBoot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[bytes]:
        self.ending = (yield from self._sent) or Ending(EndKind.CLEAN)

    def farewell(self) -> None:
        pass

    def abort(self) -> None:
        pass


def fake_bochs(folder: Path, body: str, *, debugger: bool = True, displays: str = "term") -> Path:
    """A program that answers like Bochs and then runs the shell commands of `body`, in the run's folder,
    where `serial` is the serial port.
    """
    program = folder / "fake bochs"
    program.write_text(
        textwrap.dedent(
            """\
            #!/bin/sh
            if [ "$1" = --help ]; then
                echo "Bochs x86 Emulator 9.9"
                echo "Supported CPU models:"
                echo
                echo tigerlake
                echo 486
                {debugger} && echo "  -rc filename   execute debugger commands"
                exit 0
            fi
            display=$(sed -n 's/display_library: //p' "$3")
            case " {displays} " in
            *" $display "*) ;;
            *) echo "display library '$display' not available" >&2; exit 1 ;;
            esac
            grep -q 'model=none_such' "$3" && exit 1
            """
        ).format(debugger="true" if debugger else "false", displays=displays)
        + textwrap.dedent(body)
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
