"""What is said where an optional library is asked for and not installed."""

from __future__ import annotations


class MissingExtraError(ImportError):
    """Something was asked for that needs one of the package's extras."""

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(f"{what} needs {library}, which is not installed: pip install 'quedge[{extra}]'")
