"""Verdicts: what a run means, for every way in which it can go."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.deviations import Deviation
from harness.guests import Guest
from harness.machines import Identity
from harness.records import Exit, Panic
from harness.runs import GuestRun
from harness.verdicts import Judge, Status
from tests.samples import assemble_sample, exit_port, item, make_end, make_exit

BOCHS = Identity("bochs", "2.7", "tigerlake")
TRACE = """\
[sample]
section "Instructions That Cause VM Exits Unconditionally"
CPUID      first   `cpuid`         length=2
CR_ACCESS  second  `mov cr0, rax`  length=3 qualification={control_register=CR0 access=mov_to_cr register=RAX}
end EXIT_PORT
"""
DEVIATION = Deviation(
    guest="sample",
    models=("*",),
    versions=("2.*",),
    fields=("length",),
    section="S",
    expected="3",
    came="4",
    proof="p",
    place="bochs.toml: entry 3 (sample)",
)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return assemble_sample(tmp_path_factory.mktemp("guest"))


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    (tmp_path / "sample.trace").write_text(TRACE)
    return Judge(tmp_path, BOCHS)


def run(guest: Guest, length: int = 3) -> GuestRun:
    """A run of the sample as it should be, but for the length of the second instruction."""
    first, second = (guest.labels.resolve(label) for label in ("first", "second"))
    exits: list[Exit] = [
        make_exit("CPUID", rip=first, instruction=b"\x0f\xa2", instruction_length=2),
        make_exit("CR_ACCESS", number=1, rip=second, instruction=b"\x0f\x22\xc0", instruction_length=length),
        exit_port(guest.labels.resolve("second+0xb"), number=2),
    ]
    return GuestRun("sample", exits=exits, end=make_end("EXIT_PORT", 3))


def test_pass(judge: Judge, guest: Guest) -> None:
    verdict = judge.judge(run(guest), guest)
    assert (verdict.status, verdict.why) == (Status.PASS, "")


def test_fail_says_what_differs_and_how_to_repeat_it(judge: Judge, guest: Guest) -> None:
    judge = dataclasses.replace(judge, repeat="MODEL=broadwell_ult")
    verdict = judge.judge(run(guest, length=4), guest)
    assert verdict.status is Status.FAIL
    assert verdict.why == "exit 1: expected length=3, came length=4"
    assert "make check GUEST=sample MODEL=broadwell_ult" in verdict.display
    assert "^" in verdict.display


def test_an_exit_too_few_and_one_too_many_fail(judge: Judge, guest: Guest) -> None:
    for exits in (slice(1, None), slice(None, None, 2)):
        short = run(guest)
        short.exits = short.exits[exits]
        assert judge.judge(short, guest).status is Status.FAIL
    long = run(guest)
    long.exits.insert(1, long.exits[0])
    assert judge.judge(long, guest).status is Status.FAIL


def test_another_outcome_fails(judge: Judge, guest: Guest) -> None:
    other = run(guest)
    other.end = make_end("WATCHDOG_TIME", 3)
    assert judge.judge(other, guest).status is Status.FAIL


def test_skip_names_what_is_missing(judge: Judge, guest: Guest) -> None:
    skipped = GuestRun("sample", end=make_end("SKIPPED", 0, detail="the processor lacks CPUID.7:EBX.HLE"))
    assert judge.judge(skipped, guest).why == "the processor lacks CPUID.7:EBX.HLE"
    missing = judge.judge(GuestRun("sample", missing="no VMX"), guest)
    assert (missing.status, missing.why) == (Status.SKIP, "no VMX")


def test_skip_needs_no_expected_trace(judge: Judge, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "sample.trace").unlink()
    assert judge.judge(GuestRun("sample", missing="no VMX"), guest).status is Status.SKIP


def test_death_is_an_error_with_all_that_is_known(judge: Judge, guest: Guest) -> None:
    panic = Panic(item("PANIC", message="page fault", vector=14, rip=0x1234))
    dead = GuestRun("sample", exits=run(guest).exits[:1], death="it died", panic=panic, console=["a\x1b[2Jb"])
    verdict = judge.judge(dead, guest)
    assert (verdict.status, verdict.why) == (Status.ERROR, "it died")
    for text in ("page fault", "0x1234", "exits before that: 1", "a\\x1b[2Jb", "make check GUEST=sample"):
        assert text in verdict.display


def test_a_damaged_recording_is_an_error_even_if_all_seems_right(judge: Judge, guest: Guest) -> None:
    damaged = run(guest)
    damaged.trouble.append("1 record lost")
    assert judge.judge(damaged, guest).status is Status.ERROR
    endless = run(guest)
    endless.end = None
    assert judge.judge(endless, guest).status is Status.ERROR


def test_a_malformed_guest_is_an_error(judge: Judge, guest: Guest) -> None:
    malformed = GuestRun("sample", end=make_end("MALFORMED", 0, detail="no code"))
    verdict = judge.judge(malformed, guest)
    assert verdict.status is Status.ERROR
    assert "no code" in verdict.why


@pytest.mark.parametrize(
    "text, advice",
    [
        (None, "make bless GUEST=sample"),
        ("", "make bless GUEST=sample"),
        ("# nothing yet\n", "make bless GUEST=sample"),
        ("[sample\n", ":1: "),
        ("[sample\n", "correct it there"),
        (TRACE.replace("end EXIT_PORT\n", ""), "correct it there"),
    ],
)
def test_a_missing_or_broken_trace_is_an_error_that_names_the_file(
    text: str | None, advice: str, judge: Judge, guest: Guest, tmp_path: Path
) -> None:
    path = tmp_path / "sample.trace"
    path.unlink()
    if text is not None:
        path.write_text(text)
    verdict = judge.judge(run(guest), guest)
    assert verdict.status is Status.ERROR
    assert str(path) in verdict.why
    assert advice in verdict.why
    assert ("make bless" in verdict.why) is ("make bless" in advice)


def test_a_trace_that_contradicts_the_head_is_an_error(judge: Judge, guest: Guest) -> None:
    other = dataclasses.replace(guest, expects=guest.expects[:1])
    assert judge.judge(run(guest), other).status is Status.ERROR


def test_a_listed_deviation_is_an_expected_failure(judge: Judge, guest: Guest) -> None:
    listed = dataclasses.replace(judge, deviations=[DEVIATION])
    verdict = listed.judge(run(guest, length=4), guest)
    assert verdict.status is Status.XFAIL
    assert verdict.status.is_good


def test_a_listed_deviation_that_does_not_show_is_a_failure(judge: Judge, guest: Guest) -> None:
    listed = dataclasses.replace(judge, deviations=[DEVIATION])
    verdict = listed.judge(run(guest), guest)
    assert verdict.status is Status.XPASS
    assert "bochs.toml: entry 3 (sample): length: 4" in verdict.why
    assert not verdict.status.is_good


def test_a_deviation_excuses_nothing_else(judge: Judge, guest: Guest) -> None:
    for other in (
        dataclasses.replace(DEVIATION, fields=("qualification",)),
        dataclasses.replace(DEVIATION, versions=("3.*",)),
        dataclasses.replace(DEVIATION, models=("corei7_*",)),
        dataclasses.replace(DEVIATION, guest="other"),
    ):
        listed = dataclasses.replace(judge, deviations=[other])
        assert listed.judge(run(guest, length=4), guest).status is Status.FAIL
