"""What is said where an optional library is asked for and not installed."""

from __future__ import annotations

import importlib.util


class MissingExtraError(ImportError):
    """Something was asked for that needs one of the package's extras."""

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(f"{what} needs {library}, which is not installed: pip install 'quedge[{extra}]'")


def check_installed(module: str, what: str, library: str, extra: str) -> None:
    """Refuse what needs a library that is not installed.

    Args:
        module: the library's name in an import.
        what: what needs it.
        library: the library's name.
        extra: the extra that brings it.

    Raises:
        MissingExtraError: naming all three.
    """
    if not _is_installed(module):
        raise MissingExtraError(what, library, extra)


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
