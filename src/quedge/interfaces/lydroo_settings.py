"""LyDROO's policies, presets and settings by name: on the command line, and in an agent's file."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from quedge.allocation.allocator import Allocator
from quedge.experiments.schemes import SCHEMES
from quedge.policy.lydroo import (
    MLP,
    PAPER,
    Inputs,
    Lydroo,
    MlpActor,
    NearestNeighbours,
    NoisyOrderPreserving,
    OrderPreserving,
    SharedActor,
)

CRITICS: dict[str, Allocator] = {
    scheme.name: scheme.policy.allocator for scheme in SCHEMES if isinstance(scheme.policy, Lydroo)
}
"""The learning policies, and what each allocates power with."""

PRESETS = {"default": Lydroo(), "mlp": MLP, "paper": PAPER}

_ACTORS = {"shared": SharedActor, "mlp": MlpActor}
_QUANTISERS = {
    "noisy-order-preserving": NoisyOrderPreserving,
    "order-preserving": OrderPreserving,
    "nearest-neighbours": NearestNeighbours,
}
_PARTS: dict[str, Mapping[str, Any]] = {"actor": _ACTORS, "quantiser": _QUANTISERS}
_PLAIN = tuple(field.name for field in dataclasses.fields(Lydroo) if field.name not in ("allocator", *_PARTS))
NAMES = ("preset", *_PARTS, *_PLAIN)


def lydroo_of(settings: Sequence[str]) -> Lydroo:
    """LyDROO's settings from `name=value` texts; its critic is the default one.

    Args:
        settings: each a field of `Lydroo`, with `actor` and `quantiser` by their names, or `preset`, which the others
            then change.

    Raises:
        ValueError: the message names the setting, the value and what is allowed.
    """
    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not name or not text:
            raise ValueError(f"--lydroo {setting[:60]}: is not allowed; it must be name=value")
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise ValueError(f"--lydroo {setting[:60]}: {name[:60]}: unknown setting; {meant}known: {', '.join(NAMES)}")
        if name in given:
            raise ValueError(f"--lydroo {setting[:60]}: {name}: is set twice; once is allowed")
        given[name] = _value(text)
    try:
        base = PRESETS[_choice("preset", given.pop("preset", "default"), PRESETS)]
        for name, kinds in _PARTS.items():
            if name in given:
                kind = kinds[_choice(name, given[name], kinds)]
                given[name] = getattr(base, name) if isinstance(getattr(base, name), kind) else kind()
        if "inputs" in given:
            given["inputs"] = Inputs(_choice("inputs", given["inputs"], dict.fromkeys(Inputs)))
        return dataclasses.replace(base, **given)
    except ValueError as error:
        raise ValueError(f"--lydroo: {error}") from None


def settings_object(lydroo: Lydroo) -> dict[str, Any]:
    """Settings, but for the critic, as plain values; `lydroo_of_object` reads them back.

    Raises:
        ValueError: an actor or quantiser that is not of this package.
    """
    plain: dict[str, Any] = {name: getattr(lydroo, name) for name in _PLAIN}
    plain["inputs"] = str(lydroo.inputs)
    for name, kinds in _PARTS.items():
        part = getattr(lydroo, name)
        for kind_name, kind in kinds.items():
            if type(part) is kind:
                plain[name] = {"kind": kind_name, **dataclasses.asdict(part)}
        if name not in plain:
            raise ValueError(f"{name}: {part!r} is not allowed; it must be one of {', '.join(kinds)}")
    return plain


def lydroo_of_object(plain: Mapping[str, Any]) -> Lydroo:
    """Settings from what `settings_object` gave.

    Raises:
        ValueError: a name, type or value that is not allowed.
    """
    values = dict(plain)
    if values.keys() != {*_PLAIN, *_PARTS}:
        raise ValueError("settings: the names are not those of LyDROO's settings")
    try:
        for name, kinds in _PARTS.items():
            part = dict(values[name])
            kind = kinds[_choice(name, part.pop("kind", None), kinds)]
            values[name] = kind(**{key: tuple(each) if isinstance(each, list) else each for key, each in part.items()})
        values["inputs"] = Inputs(values["inputs"])
        return Lydroo(**values)
    except TypeError as error:
        raise ValueError(f"settings: {error}") from None


def _value(text: str) -> Any:
    """A number or quoted text as TOML has it, or else the text itself."""
    if "#" in text or "\n" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _choice(name: str, value: Any, allowed: Mapping[str, Any]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: {value!r} is not allowed; it must be one of {', '.join(allowed)}")
    return value
