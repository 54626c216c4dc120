"""What the README and the docs show works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib import pyplot
from matplotlib.testing.compare import compare_images
from PIL import Image

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"


BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)

LARGEST_FILM = 500_000  # bytes


def pictures_of(film: Path) -> tuple[int, tuple[int, int]]:
    """How many pictures a film has, and of which size."""
    with Image.open(film) as pictures:
        return getattr(pictures, "n_frames", 1), pictures.size


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_the_python_of_every_page_runs_and_prints_what_stands_below_it(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # pictures are drawn here
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            exec(block, names)
            printed = capsys.readouterr().out
        else:
            assert printed == block
    pyplot.close("all")
    for picture in tmp_path.glob("*.png"):
        assert compare_images(str(DOCS / picture.name), str(picture), tol=3.0) is None
    for film in tmp_path.glob("*.gif"):
        shown = DOCS / film.name
        assert shown.stat().st_size < LARGEST_FILM
        assert pictures_of(film) == pictures_of(shown)
    for name in re.findall(r'"([\w-]+\.(?:png|gif))"', page.read_text(encoding="utf-8")):
        assert (tmp_path / name).exists(), f"{name} is shown and not drawn"


def test_the_readmes_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert names["trace"].frames == 200
    assert names["decision"].objective <= names["decision"].upper_bound


def test_the_readme_is_read_in_a_minute() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.split()) <= 700
    assert len(text.splitlines()) <= 100


def test_a_policy_takes_ten_lines_at_most() -> None:
    text = (DOCS / "own-parts.md").read_text(encoding="utf-8")
    body = text[text.index("class Strongest") : text.index("print(quedge")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10


def test_an_own_policy_is_compared_and_drawn_in_twelve_lines_at_most() -> None:
    first = BLOCK.findall((DOCS / "beat-the-paper.md").read_text(encoding="utf-8"))[0][1]
    assert "quedge.compare" in first
    assert "quedge.plot.difference" in first
    assert len([line for line in first.splitlines() if line.strip()]) <= 12
