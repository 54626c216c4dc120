"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


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
