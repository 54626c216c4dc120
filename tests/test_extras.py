"""What the package asks to be installed beside it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import quedge

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"test", "docs", "fuzz", "package"}
NAMED_AT = {"check_installed": 3, "MissingExtraError": 2}
"""Which argument names the extra."""


def requirements() -> Iterator[Requirement]:
    for text in (*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)):
        yield Requirement(text)


def named_extras() -> set[str]:
    """The extras that messages name, as far as they are written out."""
    named = set()
    for path in Path(quedge.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMED_AT:
                extra = node.args[NAMED_AT[node.func.id]]
                if isinstance(extra, ast.Constant):
                    named.add(extra.value)
    return named


def test_all_is_every_extra_that_is_not_for_developers() -> None:
    (everything,) = (Requirement(text) for text in EXTRAS["all"])
    reached: set[str] = set()
    waiting = set(everything.extras)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for requirement in map(Requirement, EXTRAS[name]):
            waiting |= requirement.extras - reached if requirement.name == "quedge" else set()
    libraries = {Requirement(text).name for name in reached for text in EXTRAS[name]}
    assert libraries >= {Requirement(t).name for n in EXTRAS.keys() - FOR_DEVELOPERS - {"all"} for t in EXTRAS[n]}


def test_every_extra_that_a_message_names_is_there() -> None:
    named = named_extras()
    assert {"plot", "parquet", "matlab", "experiments", "sca", "serve"} <= named <= EXTRAS.keys()


def test_the_docs_say_what_each_extra_is_for() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert [name for name in EXTRAS.keys() - FOR_DEVELOPERS if f"`{name}`" not in page] == []


@pytest.mark.parametrize("requirement", sorted({str(each) for each in requirements() if each.name != "quedge"}))
def test_the_pinned_version_is_in_the_range_that_is_declared(requirement: str) -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    }
    wanted = Requirement(requirement)
    assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)])
