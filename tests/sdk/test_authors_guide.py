"""docs/authors.md: every Python block runs, one after the other, in a folder of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "authors.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```python") > 10
    path = tmp_path / "guide.py"
    path.write_text("\n".join(blocks), encoding="utf-8")  # one module: nodes are known by their source
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    guide = __import__("guide")
    assert guide.result.trades.height > 0
    assert (tmp_path / "out" / "sheet.html").is_file()
    assert (tmp_path / "out" / "map.png").is_file()
