"""The one voice of errors: what is not allowed is named with its value and what is; a missing library by its extra."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable
from typing import TypeGuard

_LONGEST_TEXT = 60


def not_allowed(name: str, value: object, allowed: str) -> ValueError:
    """The error of a value: `name: value is not allowed; it must be ...`.

    Args:
        name: the argument, key or option.
        value: what was given; long text is cut.
        allowed: what is allowed instead, such as "positive and finite".
    """
    shown = value[:_LONGEST_TEXT] if isinstance(value, str) else value
    return ValueError(f"{name}: {shown!r} is not allowed; it must be {allowed}")


def one_of(allowed: Iterable[object]) -> str:
    """A list of what is allowed, for `not_allowed`."""
    return f"one of {', '.join(map(str, allowed))}"


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, and no truth value."""
    return is_integer(value) or (isinstance(value, float) and math.isfinite(value))


class MissingExtraError(ImportError):
    """Something was asked for that needs one of the package's extras."""

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(f"{what} needs {library}, which is not installed: pip install 'quedge[{extra}]'")


def check_installed(module: str, what: str, library: str, extra: str) -> None:
    """Refuse what needs a library that is not installed; `module` is its name in an import.

    Raises:
        MissingExtraError: naming what needs it, the library, and the extra that brings it.
    """
    if not _is_installed(module):
        raise MissingExtraError(what, library, extra)


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


class WorkersError(Exception):
    """No workers can be started; the message says why."""
