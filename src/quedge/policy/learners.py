"""The learning policies and their settings by name: on the command line, and in an agent's file."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from quedge.allocation.frame_budget import FrameBudget
from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.errors import not_allowed, one_of
from quedge.policy.lydroo import Inputs, Lydroo
from quedge.policy.lydroo.network import MlpActor, SharedActor
from quedge.policy.lydroo.quantiser import NearestNeighbours, NoisyCopy, NoisyOrderPreserving, OrderPreserving
from quedge.policy.registry import DROO, EQUIVARIANT, LYDROO_NOMA, LYDROO_SCA, LYDROO_TDMA, SCHEMES

LEARNERS: dict[str, Lydroo] = {scheme.name: scheme.policy for scheme in SCHEMES if isinstance(scheme.policy, Lydroo)}
"""The learning policies by name."""

_ALLOCATORS = {"greedy": NomaGreedy(), "sca": NomaSca(), "tdma": Tdma(), "frame-budget": FrameBudget()}
_ACTORS = {"shared": SharedActor, "mlp": MlpActor}
_QUANTISERS = {
    "noisy-order-preserving": NoisyOrderPreserving,
    "order-preserving": OrderPreserving,
    "nearest-neighbours": NearestNeighbours,
}
_PARTS: dict[str, Mapping[str, Any]] = {"actor": _ACTORS, "quantiser": _QUANTISERS}
_NOISE = {"noise": "noise", "noisy_copy": "copy"}
"""Settings of the noisy quantiser, and its fields."""
_PLAIN = tuple(field.name for field in dataclasses.fields(Lydroo) if field.name not in ("allocator", "inputs", *_PARTS))
NAMES = ("allocator", *_PARTS, *_NOISE, "inputs", *_PLAIN)
"""Every setting of a learning policy."""

_IN_THE_NAME = {
    **{scheme.name: ("allocator", "its name says which") for scheme in (LYDROO_NOMA, LYDROO_SCA, LYDROO_TDMA)},
    EQUIVARIANT.name: ("actor", "the shared actor makes it equivariant"),
    DROO.name: ("allocator", "the rate within each frame's budget makes it DROO"),
}
"""Of some policies the setting that makes them what their name says, and that cannot be another."""


def settings_of(texts: Sequence[str]) -> dict[str, Any]:
    """Settings from `name=value` texts, for `learner_of`; a ValueError names the text, and what is allowed."""
    given: dict[str, Any] = {}
    for setting in texts:
        name, equals, text = (part.strip() for part in setting.partition("="))
        where = f"--learner {setting[:60]}"
        if not equals or not name or not text:
            raise ValueError(f"{where}: is not allowed; it must be name=value")
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise ValueError(f"{where}: {name[:60]}: unknown setting; {meant}known: {', '.join(NAMES)}")
        if name in given:
            raise ValueError(f"{where}: {name}: is set twice; once is allowed")
        given[name] = _value(text)
    return given


def learner_of(name: str, settings: Mapping[str, Any]) -> Lydroo:
    """The learning policy of that name, with some settings changed.

    Args:
        name: one of `LEARNERS`.
        settings: values by the names in `NAMES`, as `settings_of` gives them.

    Raises:
        ValueError: the message names the setting, the value and what is allowed.
    """
    base, given = LEARNERS[name], dict(settings)
    try:
        fixed, why = _IN_THE_NAME.get(name, ("", ""))
        if fixed in given:
            raise ValueError(f"{fixed}: {given[fixed]!r} is not allowed for {name}; {why}")
        if "allocator" in given:
            given["allocator"] = _ALLOCATORS[_choice("allocator", given["allocator"], _ALLOCATORS)]
        for part, kinds in _PARTS.items():
            if part in given:
                kind = kinds[_choice(part, given[part], kinds)]
                given[part] = getattr(base, part) if isinstance(getattr(base, part), kind) else kind()
        noise = {_NOISE[setting]: given.pop(setting) for setting in _NOISE if setting in given}
        if noise:
            given["quantiser"] = _noisy(given.get("quantiser", base.quantiser), noise)
        if "inputs" in given:
            given["inputs"] = Inputs(_choice("inputs", given["inputs"], dict.fromkeys(Inputs)))
        return dataclasses.replace(base, **given)
    except ValueError as error:
        raise ValueError(f"--learner: {error}") from None


def _noisy(quantiser: object, noise: Mapping[str, Any]) -> NoisyOrderPreserving:
    """A noisy quantiser with other noise.

    Raises:
        ValueError: a quantiser without noise, or a value that is not allowed.
    """
    if not isinstance(quantiser, NoisyOrderPreserving):
        raise ValueError(f"{', '.join(noise)}: is not allowed; {type(quantiser).__name__} has no noise")
    changed = dict(noise)
    if "copy" in changed:
        changed["copy"] = NoisyCopy(_choice("noisy_copy", changed["copy"], dict.fromkeys(NoisyCopy)))
    level = changed.get("noise", quantiser.noise)
    if isinstance(level, bool) or not isinstance(level, (int, float)):
        raise not_allowed("noise", level, "a number")
    return dataclasses.replace(quantiser, **changed)


def settings_object(lydroo: Lydroo) -> dict[str, Any]:
    """Settings as plain values; `lydroo_of_object` reads them back.

    Raises:
        ValueError: an allocator, actor or quantiser that has no name here.
    """
    plain: dict[str, Any] = {name: getattr(lydroo, name) for name in _PLAIN}
    plain["inputs"] = str(lydroo.inputs)
    plain["allocator"] = next((name for name, each in _ALLOCATORS.items() if each == lydroo.allocator), None)
    for name, kinds in _PARTS.items():
        part = getattr(lydroo, name)
        kind_name = next((kind_name for kind_name, kind in kinds.items() if type(part) is kind), None)
        plain[name] = None if kind_name is None else {"kind": kind_name, **dataclasses.asdict(part)}
    for name, kinds in {"allocator": _ALLOCATORS, **_PARTS}.items():
        if plain[name] is None:
            raise not_allowed(name, getattr(lydroo, name), one_of(kinds))
    return plain


def lydroo_of_object(plain: Mapping[str, Any]) -> Lydroo:
    """Settings from what `settings_object` gave; a ValueError for a name, type or value that is not allowed."""
    values = dict(plain)
    if values.keys() != {*_PLAIN, *_PARTS, "allocator", "inputs"}:
        raise ValueError("settings: the names are not those of LyDROO's settings")
    try:
        for name, kinds in _PARTS.items():
            part = dict(values[name])
            kind = kinds[_choice(name, part.pop("kind", None), kinds)]
            if "copy" in part:
                part["copy"] = NoisyCopy(part["copy"])
            values[name] = kind(**{key: tuple(each) if isinstance(each, list) else each for key, each in part.items()})
        values["inputs"] = Inputs(values["inputs"])
        values["allocator"] = _ALLOCATORS[_choice("allocator", values["allocator"], _ALLOCATORS)]
        return Lydroo(**values)
    except TypeError as error:
        raise ValueError(f"settings: {error}") from None


def converted(policy: str, settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A policy's name and settings as they are called now, from a file of before `equivariant` had its name.

    Until then the policies were named by their critic alone, and the noise was added to the logits.

    Raises:
        ValueError: no such policy, or settings that are none.
    """
    critics = {LYDROO_NOMA.name: "greedy", LYDROO_SCA.name: "sca", LYDROO_TDMA.name: "tdma"}
    values = dict(settings)
    values |= {"allocator": critics[_choice("policy", policy, critics)], "weight_decay": 0.0, "keeps_moments": True}
    quantiser = dict(values["quantiser"])
    if quantiser.get("kind") == "noisy-order-preserving":
        quantiser["copy"] = NoisyCopy.LOGIT
    values["quantiser"] = quantiser
    is_shared = dict(values["actor"]).get("kind") == "shared"
    return EQUIVARIANT.name if is_shared else policy, values


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
        raise not_allowed(name, value, one_of(allowed))
    return value
