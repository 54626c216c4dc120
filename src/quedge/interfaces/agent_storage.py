"""How an agent's file stores its parts: as a NumPy archive (.npz), or in PyTorch's format (.pt).

Both hold arrays and plain values, never code, and are read so that no code in them is executed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.model.extras import check_installed

NUMPY_SUFFIX, PYTORCH_SUFFIX = ".npz", ".pt"

Parts = Mapping[str, str | int | Mapping[str, NDArray[Any]]]
"""Texts, integers and groups of arrays, by name."""


def check_storage(path: Path) -> None:
    """Refuse a name by which it is not clear how a file is to be stored, and PyTorch's format without PyTorch.

    Raises:
        ValueError: another ending than .npz and .pt.
        MissingExtraError: PyTorch is not installed.
    """
    if path.suffix not in (NUMPY_SUFFIX, PYTORCH_SUFFIX):
        raise ValueError(
            f"{path}: is not allowed; it must end in {NUMPY_SUFFIX}, or in {PYTORCH_SUFFIX} for PyTorch's format"
        )
    if path.suffix == PYTORCH_SUFFIX:
        _check_pytorch()


def stored_parts(parts: Parts, suffix: str) -> memoryview:
    """The bytes of a file with such parts, in the format that the file's ending asks for."""
    written = io.BytesIO()  # PyTorch hides what goes wrong with a file
    if suffix == PYTORCH_SUFFIX:
        import torch

        stored = {name: _as_tensors(part) if isinstance(part, Mapping) else part for name, part in parts.items()}
        torch.save(stored, written)
    else:
        np.savez(written, **dict(_flat(parts)))
    return written.getbuffer()


def read_parts(held: bytes) -> dict[str, Any]:
    """The parts of a file, of either format; groups of PyTorch's hold tensors, for `as_array`.

    Raises:
        MissingExtraError: it is in PyTorch's format, and PyTorch is not installed.
        Exception: it is no such file, of any kind.
    """
    with zipfile.ZipFile(io.BytesIO(held)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed")  # what is small here could be vast in memory
        is_pytorch_s = any(name.endswith("/data.pkl") for name in archive.namelist())
    if is_pytorch_s:
        _check_pytorch()
        import torch

        return dict(torch.load(io.BytesIO(held), map_location="cpu", weights_only=True))
    parts: dict[str, Any] = {}
    with np.load(io.BytesIO(held), allow_pickle=False) as arrays:
        for name in arrays.files:
            group, of_group, member = name.partition("/")
            if not of_group:
                parts[name] = arrays[name].item()
            elif member:
                parts.setdefault(group, {})[member] = arrays[name]
            else:
                parts[group] = {}
    return parts


def as_array(stored: Any) -> NDArray[Any]:
    """An array of a group; one of PyTorch's tensors must hold its own numbers, not one many times.

    Raises:
        Exception: it is nothing of the kind, of any kind.
    """
    if isinstance(stored, np.ndarray):
        array = stored
    else:
        tensor = stored.detach()
        if tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size():
            raise ValueError("a tensor shares its numbers")
        array = tensor.numpy()
    if not array.flags.c_contiguous:
        raise ValueError("an array is not in C's order")
    return array


def _flat(parts: Parts) -> list[tuple[str, Any]]:
    """The parts as arrays without groups, as `group/name`; `group/` alone is an empty group."""
    flat: list[tuple[str, Any]] = []
    for name, part in parts.items():
        if isinstance(part, Mapping):
            flat += [(f"{name}/{member}", values) for member, values in part.items()] or [(f"{name}/", np.empty(0))]
        else:
            flat.append((name, np.array(part)))
    return flat


def _as_tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(np.array(values, order="C")) for name, values in arrays.items()}


def _check_pytorch() -> None:
    check_installed("torch", f"an agent's file in PyTorch's format ({NUMPY_SUFFIX} needs none)", "PyTorch", "learn")
