"""What the README and the docs show works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_python_of_every_page_runs(page: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(block, names)


def test_the_readmes_python_runs_and_its_policy_is_carried_out() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    trace, decision = names["trace"], names["decision"]
    assert trace.frames == 200
    assert (trace.offload.sum(axis=1) == 2).all()
    assert decision.objective <= decision.upper_bound


def test_the_readmes_policy_takes_ten_lines_at_most() -> None:
    text = README.read_text(encoding="utf-8")
    body = text[text.index("class LongestQueues") : text.index("trace = quedge")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
