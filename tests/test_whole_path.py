"""The whole path, from GRUB to records: order and repetition do not matter, unruly guests do no harm, and
what a machine lacks is said.
"""

from __future__ import annotations

from pathlib import Path

from harness import jobs
from harness.expected import load_trace, stray_guests
from harness.runs import GuestRun
from harness.tables import TABLES
from harness.wire import Item
from tests.conftest import Booted

_KEYS = {field.name: key for key, field in TABLES.record_fields["EXIT"].items()}
# What an exit record says about when it was made, and not about the exit.
_WHEN = (_KEYS["sequence"], _KEYS["time"])


def test_two_runs_give_the_same_bytes(in_order: Booted, in_order_again: Booted) -> None:
    first, second = (
        [report.recording.read_bytes() for report in run.reports] for run in (in_order, in_order_again)
    )
    assert first == second
    assert len(first) == 1


def test_the_reversed_catalogue_gives_the_same_records(in_order: Booted, reversed_order: Booted) -> None:
    assert list(reversed_order.runs) == list(in_order.runs)[::-1]
    assert _records(reversed_order) == _records(in_order)


def test_the_shuffled_catalogue_gives_the_same_records(in_order: Booted, shuffled_order: Booted) -> None:
    assert list(shuffled_order.runs) != list(in_order.runs)
    assert _records(shuffled_order) == _records(in_order)


def _records(booted: Booted) -> dict[str, tuple[str, list[Item]]]:
    return {
        name: (_outcome(run), [_timeless(exit.item) for exit in run.exits])
        for name, run in booted.runs.items()
    }


def _timeless(item: Item) -> Item:
    return {key: value for key, value in item.items() if key not in _WHEN}


def _outcome(run: GuestRun) -> str:
    return TABLES.outcomes[run.end.outcome].name if run.end else run.death


class TestUnruly:
    """The guests of tests/guests."""

    def test_a_kernel_crash_is_a_panic_with_registers(self, unruly_guests: Booted) -> None:
        run = unruly_guests.runs["crash_kernel"]
        assert "panicked" in run.death
        assert run.panic is not None
        assert run.panic.registers

    def test_a_machine_that_goes_down_is_noticed(self, unruly_guests: Booted) -> None:
        run = unruly_guests.runs["crash_machine"]
        assert run.end is None
        assert "triple fault" in run.death

    def test_the_watchdog_ends_a_guest_that_never_exits(self, unruly_guests: Booted) -> None:
        assert _outcome(unruly_guests.runs["runaway"]) == "WATCHDOG_TIME"

    def test_the_watchdog_ends_a_guest_that_exits_for_ever(self, unruly_guests: Booted) -> None:
        run = unruly_guests.runs["exit_storm"]
        assert _outcome(run) == "WATCHDOG_EXITS"
        assert run.end is not None and run.end.exits == len(run.exits)

    def test_a_malformed_guest_is_named(self, unruly_guests: Booted) -> None:
        run = unruly_guests.runs["outside_memory"]
        assert _outcome(run) == "MALFORMED"
        assert run.end is not None and run.end.detail

    def test_the_guests_after_them_run(self, unruly_guests: Booted) -> None:
        assert _outcome(unruly_guests.runs["zz_after"]) == "EXIT_PORT"
        assert list(unruly_guests.runs)[-1] == "zz_after"


def test_the_image_for_people_says_that_there_is_no_vmx(image_for_people: Booted) -> None:
    (report,) = image_for_people.reports
    assert report.stop is not None
    assert report.stop.name == "NO_VMX"
    assert report.problem == ""
    assert {run.missing for run in image_for_people.runs.values()} == {report.stop.detail}


def test_without_ept_paged_guests_run_and_the_others_say_what_is_missing(without_ept: Booted) -> None:
    outcomes = {name: _outcome(run) for name, run in without_ept.runs.items()}
    ran = ("cpuid", "ud2.long64", "ud2.pae32", "ud2.paged32")
    assert [outcomes[name] for name in ran] == ["EXIT_PORT"] + ["EXIT_UNHANDLED"] * 3
    for name, missing in (("ud2.real16", "unrestricted guest"), ("ept_read.nothing", "EPT")):
        run = without_ept.runs[name]
        assert outcomes[name] == "SKIPPED"
        assert run.end is not None and missing in run.end.detail


def test_no_expected_trace_is_without_a_guest() -> None:
    guests = set(jobs.all_guests())
    strays = [name for path in _traces() for name in stray_guests(load_trace(path), guests)]
    assert strays == []


def test_no_deviation_is_without_a_guest() -> None:
    guests = jobs.all_guests()
    for path in sorted(jobs.DEVIATIONS.glob("*.toml")):
        for deviation in jobs.load_deviations(path):
            assert jobs.select(guests.values(), deviation.guest), f"{path}: {deviation.guest}"


def _traces() -> list[Path]:
    return sorted(jobs.TRACES.glob("*.trace"))
