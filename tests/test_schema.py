"""docs/records.md says what src/trace/record.def says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import schema


def test_the_page_is_up_to_date() -> None:
    assert schema.main(["--check"]) == 0, "run python3 -m harness.schema"


def test_an_old_page_is_noticed_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "records.md"
    assert schema.main(["--check"], path) == 1
    assert "out of date" in capsys.readouterr().err
    assert schema.main([], path) == 0
    assert schema.main(["--check"], path) == 0
    assert "| 13 | `rip` | UINT | ALWAYS |" in path.read_text()
