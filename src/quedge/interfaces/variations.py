"""Keys of a scenario with several values each, from the command line."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quedge.experiments.experiment import vary
from quedge.interfaces.scenario_file import NAME, Preset, checked_keys, unknown_key
from quedge.model.scenario import PARAMETERS, Kind, Scenario


def variations_of(texts: Sequence[str], scenario: Scenario) -> dict[str, list[Any]]:
    """Values by key, from `key=value,value,...` texts, each value as TOML has it.

    Args:
        texts: at least one.
        scenario: in which each value must be allowed.

    Raises:
        ValueError: the message names the option, the key, the value and what is allowed.
    """
    varied: dict[str, list[Any]] = {}
    for option, key, values in _parsed(texts):
        varied[key] = [_checked(option, key, value, scenario) for value in values]
        if len({repr(value) for value in varied[key]}) < len(varied[key]):
            raise ValueError(f"{option}: {key}: a value stands there twice; once is allowed")
    return varied


def check_combinations(varied: Mapping[str, Sequence[Any]], scenario: Scenario) -> None:
    """Refuse values that are allowed one by one, but not together.

    Raises:
        ValueError: the message names the combination, and what is wrong with it.
    """
    for variant in vary(**varied):
        try:
            dataclasses.replace(scenario, **variant)
        except ValueError as error:
            together = ", ".join(f"{key} = {value}" for key, value in variant.items())
            raise ValueError(f"--vary: {together}: {error}") from None


def first_values(texts: Sequence[str]) -> list[Preset]:
    """The first value of each key, with which the scenario that they vary can be read.

    Raises:
        ValueError: as `variations_of`, but for values that a scenario refuses.
    """
    return [Preset(option, key, values[0]) for option, key, values in _parsed(texts)]


def _parsed(texts: Sequence[str]) -> Iterator[tuple[str, str, list[Any]]]:
    """Option, key and values of each text."""
    if not texts:
        raise ValueError("--vary: is missing; it must name a key and its values, such as --vary nu=20,60,100")
    seen = set()
    for text in texts:
        option = f"--vary {text[:60]}"
        key, equals, listed = (part.strip() for part in text.partition("="))
        if not equals or not key or not listed:
            raise ValueError(f"{option}: is not allowed; it must be key=value,value,...")
        if key not in PARAMETERS:
            raise ValueError(f"{option}: {unknown_key(key, listed)}")
        if key in seen:
            raise ValueError(f"{option}: {key}: is varied twice; once is allowed")
        seen.add(key)
        yield option, key, [checked_keys(option, {key: value})[key] for value in _values(option, key, listed)]


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
    try:
        return getattr(dataclasses.replace(scenario, **{key: value}), key)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
