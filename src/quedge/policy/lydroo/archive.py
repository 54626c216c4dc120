"""Plain values and groups of arrays as a NumPy archive, never code: how an agent is stored in files and checkpoints."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Parts = Mapping[str, str | int | NDArray[Any] | Mapping[str, NDArray[Any]]]
"""Texts, integers, arrays and groups of arrays, by name."""


def archive_of(parts: Parts) -> memoryview:
    """The archive's bytes; an array of a group is stored as `group/name`, an empty group as `group/`."""
    flat: dict[str, NDArray[Any]] = {}
    for name, part in parts.items():
        if isinstance(part, Mapping):
            flat |= {f"{name}/{member}": values for member, values in part.items()} or {f"{name}/": np.empty(0)}
        else:
            flat[name] = np.asarray(part)
    written = io.BytesIO()
    np.savez(written, **flat)  # type: ignore[arg-type]  # its keywords are arrays, but for one that no name is
    return written.getbuffer()


def parts_of(archive: bytes) -> dict[str, Any]:
    """The parts that `archive_of` stored.

    Raises:
        Exception: it is no such archive, of any kind.
    """
    parts: dict[str, Any] = {}
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        for name in arrays.files:
            group, is_grouped, member = name.partition("/")
            if not is_grouped:
                parts[name] = arrays[name].item() if arrays[name].ndim == 0 else arrays[name]
            elif member:
                parts.setdefault(group, {})[member] = arrays[name]
            else:
                parts[group] = {}
    return parts
