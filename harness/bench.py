"""`make bench`: what one run of the catalogue costs, as measured in that run. Used by the command line.

Nothing here is a test: times depend on the host. Bytes an exit do not.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.boots import BootReport


def report(boots: Sequence[BootReport]) -> list[str]:
    """The measurements as lines of text; boots without an exit say only that."""
    lines = []
    for boot in boots:
        if not boot.exits:
            lines.append(f"{boot.name}: no exits were recorded")
            continue
        recording = max(boot.last_exit - boot.first_exit, 1e-9)
        lines += [
            f"{boot.name}: {boot.guests} guests, {boot.exits} exits, {boot.processors} processors",
            f"  machine started to first record  {boot.first_record:8.2f} s",
            f"  machine started to first exit    {boot.first_exit:8.2f} s",
            f"  machine started to its end       {boot.seconds:8.2f} s",
            f"  exits recorded a second          {boot.exits / recording:8.0f}",
            f"  guests run a second              {boot.guests / recording:8.0f}",
            f"  bytes an exit record, average    {boot.exit_bytes / boot.exits:8.1f}",
            f"  bytes an exit, all records       {boot.bytes / boot.exits:8.1f}",
        ]
    return lines
