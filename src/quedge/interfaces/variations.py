"""Keys of a scenario with several values each, from the command line."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence
from typing import Any

from quedge.interfaces.scenario_file import NAME, checked_keys, unknown_key
from quedge.model.scenario import PARAMETERS, Kind, Scenario


def variations_of(texts: Sequence[str], scenario: Scenario) -> dict[str, list[Any]]:
    """Values by key, from `key=value,value,...` texts, each value as TOML has it.

    Args:
        texts: at least one.
        scenario: in which each value must be allowed.

    Raises:
        ValueError: the message names the option, the key, the value and what is allowed.
    """
    if not texts:
        raise ValueError("--vary: is missing; it must name a key and its values, such as --vary nu=20,60,100")
    varied: dict[str, list[Any]] = {}
    for text in texts:
        option = f"--vary {text[:60]}"
        key, equals, listed = (part.strip() for part in text.partition("="))
        if not equals or not key or not listed:
            raise ValueError(f"{option}: is not allowed; it must be key=value,value,...")
        if key not in PARAMETERS:
            raise ValueError(f"{option}: {unknown_key(key, listed)}")
        if key in varied:
            raise ValueError(f"{option}: {key}: is varied twice; once is allowed")
        varied[key] = [_checked(option, key, value, scenario) for value in _values(option, key, listed)]
        if len({repr(value) for value in varied[key]}) < len(varied[key]):
            raise ValueError(f"{option}: {key}: a value stands there twice; once is allowed")
    return varied


def _values(option: str, key: str, listed: str) -> list[Any]:
    names = [name.strip() for name in listed.split(",")]
    if PARAMETERS[key].kind is Kind.NAME and all(NAME.fullmatch(name) for name in names):
        return names  # a shell takes quotes away
    try:
        document = tomllib.loads(f"values = [{listed}]")
    except (ValueError, RecursionError):
        document = {}
    values = document.get("values", [])
    if document.keys() != {"values"} or not values:
        raise ValueError(f"{option}: {listed[:60]!r} is not allowed; it must be values with commas between them")
    return list(values)


def _checked(option: str, key: str, value: Any, scenario: Scenario) -> Any:
    """The value as a scenario keeps it."""
    checked = checked_keys(option, {key: value})[key]
    try:
        return getattr(dataclasses.replace(scenario, **{key: checked}), key)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
