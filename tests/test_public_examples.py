"""Every public name has an example in its description, which runs and prints what it says."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quedge

CLIENTS = ("AsyncClient", "Client", "FreshStart", "ReportRefused", "ServiceUnavailable")
FACES = {"plot": "matplotlib", "gymnasium": "gymnasium", "pettingzoo": "pettingzoo"}
"""Modules with public names of their own, and the library that each needs."""
NEEDS = {
    **dict.fromkeys(("capacity", "capacity_boundary", "least_power", "Precision"), ("scipy", "clarabel")),
    **dict.fromkeys(CLIENTS, ("grpc",)),
    "StableBaselinesEnv": ("stable_baselines3",),
    "delay": ("matplotlib",),
}
GIVEN = ("np", "quedge", "rng", "frame", "target")
"""What every example may take as there, as the pages of docs/api say."""
ALIASES = {"DevicesEnv": "parallel_env"}


def names_of_face(face: str) -> list[str]:
    """The names in a module's `__all__`, from its text: it may need what is not installed."""
    tree = ast.parse((Path(quedge.__file__).parent / f"{face}.py").read_text(encoding="utf-8"))
    (listed,) = (
        each.value for each in tree.body if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__"
    )
    return list(ast.literal_eval(listed))


NAMES = [
    *(f"quedge.{name}" for name in (*quedge.__all__, *CLIENTS)),
    *(f"quedge.{face}.{name}" for face in FACES for name in names_of_face(face) if name not in ALIASES.values()),
    "quedge.gymnasium.StableBaselinesEnv",
]


def described(name: str) -> tuple[Any, str]:
    """What has a public name, and its description: of a constant what stands below it, in the file of its class."""
    module, _, last = name.rpartition(".")
    for library in (FACES.get(module.rpartition(".")[2], "numpy"), *NEEDS.get(last, ())):
        pytest.importorskip(library)
    found = getattr(importlib.import_module(module), last)
    if inspect.isclass(found) or inspect.isfunction(found):
        return found, inspect.cleandoc(found.__doc__ or "")
    tree = ast.parse(inspect.getsource(inspect.getmodule(type(found))))  # type: ignore[arg-type]
    targets = [ast.unparse(each.targets[0]) if isinstance(each, ast.Assign) else "" for each in tree.body]
    below = tree.body[targets.index(last) + 1]
    assert isinstance(below, ast.Expr)
    return found, inspect.cleandoc(ast.literal_eval(below.value))


def example_of(name: str, given: dict[str, Any]) -> doctest.DocTest:
    found, description = described(name)
    file = inspect.getsourcefile(found if inspect.isclass(found) or inspect.isfunction(found) else type(found))
    return doctest.DocTestParser().get_doctest(description, given, name, file, 0)


def failures(example: doctest.DocTest) -> str:
    """What an example prints otherwise than it says; its names stay in `example.globs`."""
    told: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=told.append, clear_globs=False)
    return "".join(told)


def shows(found: Any, name: str, example: doctest.DocTest) -> bool:
    """Whether an example that has run names it or has made one: of a protocol, something that keeps it."""
    last = name.rpartition(".")[2]
    sources = "".join(each.source for each in example.examples)
    if re.search(rf"\b({last}|{ALIASES.get(last, last)})\b", sources):
        return True
    made = [value for key, value in example.globs.items() if key not in GIVEN]
    if getattr(found, "_is_protocol", False):
        methods = [method for method in vars(found) if not method.startswith("_")]
        return any(all(hasattr(value, method) for method in methods) for value in made)
    return any(isinstance(value, found) for value in made)


def given_names() -> dict[str, Any]:
    return {"np": np, "quedge": quedge, "rng": np.random.default_rng(0)}


@pytest.fixture(scope="module")
def frame() -> quedge.Frame:
    """The frame of `quedge.Frame`'s own example."""
    example = example_of("quedge.Frame", given_names())
    failures(example)
    made: quedge.Frame = example.globs["frame"]
    return made


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    from tests.service.service_under_test import Service

    with Service() as service:
        yield service.target


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_an_example_that_runs(
    name: str, frame: quedge.Frame, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = example_of(name, {**given_names(), "frame": frame})
    if name.rpartition(".")[2] in CLIENTS:
        example.globs["target"] = request.getfixturevalue("target")
    monkeypatch.chdir(tmp_path)  # for files that it writes
    assert failures(example) == ""
    assert shows(described(name)[0], name, example), f"{name} has no example that shows it"
    if "plot" in name:
        from matplotlib import pyplot

        pyplot.close("all")
