"""What is said where an optional library is asked for and not installed."""

from __future__ import annotations

import importlib.util


class MissingExtraError(ImportError):
    """Something was asked for that needs one of the package's extras."""

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(f"{what} needs {library}, which is not installed: pip install 'quedge[{extra}]'")


def has_pytorch() -> bool:
    """Whether PyTorch is installed; it is not loaded for that."""
    return importlib.util.find_spec("torch") is not None


def check_pytorch(what: str) -> None:
    """Refuse what needs PyTorch where that is not installed.

    Raises:
        MissingExtraError: naming `what` and the extra.
    """
    if not has_pytorch():
        raise MissingExtraError(what, "PyTorch", "learn")
