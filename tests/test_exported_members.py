"""The package's root offers the public names, sorted, and nothing else."""

from __future__ import annotations

import ast
import importlib.util
import inspect

import pytest

import quedge

CLIENTS = {"Client", "AsyncClient", "FreshStart", "ReportRefused", "ServiceUnavailable"}
"""Of the service; they are no part of `__all__`."""


def test_the_public_names_are_sorted_and_unique() -> None:
    constants_first = sorted(set(quedge.__all__), key=lambda name: (not name.isupper(), name))
    assert list(quedge.__all__) == constants_first


def test_every_public_name_is_there_with_a_description() -> None:
    for name in quedge.__all__:
        assert inspect.getdoc(getattr(quedge, name)), name


def test_nothing_else_is_public() -> None:
    offered = {name for name in dir(quedge) if not name.startswith("_") and not inspect.ismodule(getattr(quedge, name))}
    assert offered - CLIENTS == set(quedge.__all__)


def test_readers_of_types_see_what_is_loaded_when_it_is_asked_for() -> None:
    checked = next(node for node in ast.parse(inspect.getsource(quedge)).body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == {name: f"quedge.{place}" for name, place in quedge._PLACES.items()}
    assert seen.keys() == {*quedge.__all__, *CLIENTS}


def test_a_star_brings_every_public_name() -> None:
    brought: dict[str, object] = {}
    exec("from quedge import *", brought)
    assert brought.keys() - {"__builtins__"} == set(quedge.__all__)
    assert brought["Exact"] is quedge.Exact


def test_the_names_a_user_needs_are_at_the_root() -> None:
    needed = {"Scenario", "simulate", "decide", "Trace", "Policy", "Frame", "Decision"}
    policies = {"Exact", "BestSingle", "BestPair", "AllLocal", "AllOffload", "Random"}
    assert needed | policies <= set(quedge.__all__)


@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_the_service_s_clients_are_at_the_root_and_loaded_when_asked_for(name: str) -> None:
    pytest.importorskip("grpc")
    assert inspect.getdoc(getattr(quedge, name))
    assert name not in quedge.__all__  # `from quedge import *` must not need the service's libraries


def test_a_client_without_its_library_is_refused_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(vars(quedge), "Client", raising=False)
    with pytest.raises(ImportError, match=r"quedge\.Client needs grpcio.*'quedge\[serve\]'"):
        _ = quedge.Client
    with pytest.raises(AttributeError, match="has no attribute 'Clint'"):
        _ = quedge.Clint
