"""Parts of a user's own, by where they are found: `module:attribute`, or a name that an installed package gives."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

GROUP = "quedge.policies"
"""Entry points of this group add policies by name."""

_MOST_SHOWN = 60


def own_part(option: str, place: str, method: str) -> Any:
    """The part that stands at `module:attribute`; the current folder is searched first, as `python -m` does.

    Args:
        option: the option that names it, for messages.
        place: where it stands.
        method: what the part must offer beside `begin`, such as "decide".

    Returns:
        The attribute itself where it is such a part; of a class or another callable, what it gives without arguments.

    Raises:
        ValueError: there is none; the message names the option, the place and what is wrong.
    """
    module_name, colon, attribute = place.partition(":")
    if not colon or not all(name.isidentifier() for name in (*module_name.split("."), *attribute.split("."))):
        raise ValueError(f"{option}: {place[:_MOST_SHOWN]!r} is not allowed; it must be MODULE:ATTRIBUTE")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever a user's module raises
        raise ValueError(f"{option} {place}: {module_name} cannot be imported: {_told(error)}") from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise ValueError(f"{option} {place}: {module_name} has no {attribute}")
        found = getattr(found, name)
    return _made(f"{option} {place}", found, method)


def packaged_policies() -> dict[str, EntryPoint]:
    """The entry points by which installed packages add policies, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def packaged_policy(option: str, point: EntryPoint) -> Any:
    """The policy that an installed package gives by an entry point; `point` is one of `packaged_policies`.

    Raises:
        ValueError: it cannot be loaded, or is no policy; the message names the option and the name.
    """
    try:
        found = point.load()
    except Exception as error:  # whatever the package raises
        raise ValueError(f"{option} {point.name}: {point.value} cannot be loaded: {_told(error)}") from error
    return _made(f"{option} {point.name}", found, "decide")


def _made(what: str, found: Any, method: str) -> Any:
    """The part itself, or what a class or another callable gives without arguments."""
    if _is_part(found, method):
        return found
    if not callable(found):
        raise ValueError(f"{what}: {found!r:.{_MOST_SHOWN}} is not allowed; it must be an object with {method}()")
    try:
        made = found()
    except Exception as error:  # whatever it raises
        raise ValueError(f"{what}: cannot be made without arguments: {_told(error)}") from error
    if not _is_part(made, method):
        raise ValueError(f"{what}: gives {made!r:.{_MOST_SHOWN}}, and must give an object with {method}()")
    return made


def _is_part(found: Any, method: str) -> bool:
    offered = (method, "begin") if method == "decide" else (method,)
    return not isinstance(found, type) and any(callable(getattr(found, name, None)) for name in offered)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
