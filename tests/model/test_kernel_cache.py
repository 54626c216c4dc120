"""Machine code on disk: found again, never stale, and no reason to stop where it is damaged or cannot be kept."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numba
import pytest

from quedge.model import kernel_cache
from quedge.model.kernel_cache import machine_code_folder
from quedge.model.terms import frame_terms
from quedge.policy.exact.exact import solve_chain

SRC = Path(kernel_cache.__file__).parent.parent.parent
NAMES = ("fields", "numbers_", "extension", "inner", "outer")
FILES = {
    "fields": '''
from enum import IntEnum
from typing import NamedTuple
class Level(IntEnum):
    LOW = 1
    HIGH = 5
class Pair(NamedTuple):
    left: float
    right: float
''',
    "numbers_": """
import numpy as np
OFFSET = 1.0
TABLE = np.array([10.0, 20.0])
NESTED = ((3.0,), "text")
""",
    "extension": '''
from numba.extending import overload
def extended(x):
    return x
@overload(extended)
def _compiled(x):
    return lambda x: x * 1.0
''',
    "inner": '''
"""Of the file."""
from quedge.model.kernels import kernel, summing_kernel
import numbers_
from numbers_ import OFFSET, TABLE, NESTED
from extension import extended
@kernel
def inner(x, factor=1.0):
    """Of the kernel."""
    return factor * x + OFFSET + TABLE[1] + NESTED[0][0] + extended(x)
@kernel
def unused(x):
    return x
''',
    "outer": '''
from __future__ import annotations
import inner as innermost
from fields import Level
from quedge.model.kernels import kernel
@kernel
def outer(x, pair):
    return innermost.inner(x) + 100.0 * pair.left + Level.HIGH.value
def made(step):
    @kernel
    def stepped(x):
        return x + step
    return stepped
''',
}  # fmt: skip
VALUE = 2.0 + 1.0 + 20.0 + 3.0 + 2.0 + 700.0 + 5.0
"""Of `outer(2.0, Pair(7.0, 8.0))`."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where modules with kernels stand, and code is kept."""
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(kernel_cache, "_warned", set())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    yield tmp_path
    for name in NAMES:
        sys.modules.pop(name, None)


def loaded() -> ModuleType:
    """The modules as another process would find them."""
    from quedge.model import kernel_cache

    kernel_cache._content.cache_clear()
    importlib.invalidate_caches()
    for name in NAMES:
        sys.modules.pop(name, None)
    return importlib.import_module("outer")


def called() -> tuple[float, bool]:
    """What `outer` gives in another process, and whether its machine code was there."""
    modules = loaded()
    value = modules.outer(2.0, sys.modules["fields"].Pair(7.0, 8.0))
    return value, bool(modules.outer.stats.cache_hits)


def kept(folder: Path, kernel: str = "") -> list[Path]:
    return sorted((folder / "kept").rglob(f"{kernel}*.nbc"))


def warnings_of(records: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in records.records if record.levelno >= logging.WARNING]


def test_what_was_compiled_is_found_by_the_next_process(folder: Path) -> None:
    assert called() == (VALUE, False)
    assert called() == (VALUE, True)


@pytest.mark.parametrize(
    ("file", "old", "new", "more"),
    [
        ("inner", "factor * x", "factor * x + 1000.0", 1000.0),
        ("inner", "factor=1.0", "factor=2.0", 2.0),
        ("inner", "TABLE[1]", "TABLE[0]", -10.0),
        ("numbers_", "OFFSET = 1.0", "OFFSET = 4.0", 3.0),
        ("numbers_", "20.0]", "50.0]", 30.0),
        ("numbers_", "(3.0,)", "(9.0,)", 6.0),
        ("extension", "x * 1.0", "x * 3.0", 4.0),
        ("fields", "left: float\n    right", "right: float\n    left", 100.0),
        ("fields", "HIGH = 5", "HIGH = 6", 1.0),
        ("inner", "@kernel\ndef inner", "@summing_kernel\ndef inner", 0.0),
    ],
)
def test_an_edit_of_anything_that_a_kernel_is_compiled_from_counts_in_its_callers(
    folder: Path, file: str, old: str, new: str, more: float
) -> None:
    called()
    path = folder / f"{file}.py"
    stat = path.stat()
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # whatever its time says
    assert called() == (VALUE + more, False)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("inner", '"""Of the file."""', "# a comment\n# and another\n"),
        ("inner", "Of the kernel.", "What a kernel computes."),
        ("inner", "def unused(x):\n    return x", "def unused(x):\n    return x + 1.0"),
        ("numbers_", "OFFSET = 1.0", "OFFSET = 1.0\nOTHER = 2.0"),
        ("fields", "class Pair(NamedTuple):", 'class Pair(NamedTuple):\n    """Of two."""'),
        ("outer", "return stepped", "return stepped  # made"),
    ],
)
def test_an_edit_of_anything_else_throws_no_code_away(folder: Path, file: str, old: str, new: str) -> None:
    called()
    path = folder / f"{file}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert called() == (VALUE, True)


def test_old_code_is_removed_when_new_code_is_kept(folder: Path) -> None:
    called()
    before = [path.name for path in kept(folder)]
    text = (folder / "inner.py").read_text()
    (folder / "inner.py").write_text(text.replace("factor * x", "factor * x + 1000.0"))
    called()
    after = [path.name for path in kept(folder)]
    assert len(before) == len(after) > 0
    assert not set(before) & set(after)


def test_signatures_and_what_a_factory_makes_are_kept_side_by_side(folder: Path) -> None:
    for found in (False, True):
        made = [loaded().made(step) for step in (1.0, 2.0)]
        assert [(kernel(1.0), kernel(1)) for kernel in made] == [(2.0, 2.0), (3.0, 3.0)]
        assert [sum(kernel.stats.cache_hits.values()) for kernel in made] == [2 * found, 2 * found]
    assert len(kept(folder, "outer.made")) == 4


def emptied(held: bytes, other: bytes) -> bytes:
    return b""


def cut(held: bytes, other: bytes) -> bytes:
    return held[: len(held) // 2]


def turned(held: bytes, other: bytes) -> bytes:
    place = len(held) // 2
    return held[:place] + bytes([held[place] ^ 1]) + held[place + 1 :]


def foreign(held: bytes, other: bytes) -> bytes:
    return other


@pytest.mark.parametrize("damage", [emptied, cut, turned, foreign])
def test_damaged_code_is_dropped_compiled_anew_and_kept_again_with_one_warning(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes, bytes], bytes]
) -> None:
    called()
    paths = kept(folder)
    held = [path.read_bytes() for path in paths]
    for path, own, other in zip(paths, held, [*held[1:], held[0]], strict=True):
        path.write_bytes(damage(own, other))
    assert called() == (VALUE, False)
    (warning,) = warnings_of(caplog)
    assert "dropped" in warning
    assert str(folder / "kept") in warning
    caplog.clear()
    assert called() == (VALUE, True)
    assert warnings_of(caplog) == []


def test_code_that_can_neither_be_read_nor_replaced_is_no_reason_to_stop(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    called()
    for path in kept(folder):
        path.unlink()
        path.mkdir()
    assert called() == (VALUE, False)
    assert len(warnings_of(caplog)) == 2  # it is damaged, and cannot be kept


def test_a_folder_that_cannot_be_written_is_told_once_and_is_no_reason_to_stop(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert machine_code_folder() == folder / "kept"
    (folder / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder / "file"))
    assert machine_code_folder() is None
    assert called() == (VALUE, False)
    (warning,) = warnings_of(caplog)
    assert "cannot be kept" in warning
    assert str(folder / "file") in warning


def test_a_package_that_is_read_only_has_its_code_kept_with_the_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "user"))
    (folder / "__pycache__").write_text("in the way")
    assert called() == (VALUE, False)
    assert called() == (VALUE, True)
    assert warnings_of(caplog) == []
    assert list((folder / "user").rglob("outer.outer*.nbc"))


def test_code_is_kept_beside_its_source_where_that_can_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    assert called() == (VALUE, False)
    assert called() == (VALUE, True)
    assert list((folder / "__pycache__").glob("outer.outer*.nbc"))


def test_recompiling_does_not_take_what_was_kept(folder: Path) -> None:
    called()
    outer = loaded().outer
    outer._cache.flush()
    assert kept(folder, "outer.outer") == []
    assert called() == (VALUE, False)


FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
from outer import made
print(made(1.0)(1.0), made(2.0)(1.0))
"""


def test_a_full_disk_is_told_once_on_standard_error_and_is_no_reason_to_stop(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK], cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "kept"), "PYTHONPATH": f"{SRC}{os.pathsep}{folder}"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "2.0 3.0\n")
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("quedge: machine code cannot be kept")
    assert "File too large" in warning
    assert str(folder / "kept") in warning
    assert not list((folder / "kept").rglob("*.part"))


def test_digests_are_the_same_in_every_process(folder: Path) -> None:
    called()
    program = "import numpy as np; from fields import Pair; from outer import outer; outer(2.0, Pair(7.0, 8.0));"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", f"{program} print(sum(outer.stats.cache_hits.values()))"], cwd=folder,
            capture_output=True, text=True, check=True,
            env=os.environ | {
                "NUMBA_CACHE_DIR": str(folder / "kept"), "PYTHONPATH": f"{SRC}{os.pathsep}{folder}",
                "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1",
            },
        )  # fmt: skip
        assert done.stdout == "1\n"


def test_where_numba_is_told_not_to_compile_kernels_stay_plain(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from outer import made; print(made(1.0)(1.0))"], cwd=folder,
        capture_output=True, text=True, check=True,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{SRC}{os.pathsep}{folder}"},
    )  # fmt: skip
    assert done.stdout == "2.0\n"
    assert kept(folder) == []


def test_an_array_that_is_too_large_for_machine_code_is_never_stale(folder: Path) -> None:
    text = (folder / "numbers_.py").read_text()
    (folder / "numbers_.py").write_text(text.replace("np.array([10.0, 20.0])", "np.full(200_000, 20.0)"))
    assert called() == (VALUE, False)
    (folder / "numbers_.py").write_text(text.replace("np.array([10.0, 20.0])", "np.full(200_000, 30.0)"))
    assert called()[0] == VALUE + 10.0


REACHING = """
import sys
from quedge.model.kernels import kernel
@kernel
def total(values):
    if values.size == 0:
        raise ValueError("nothing to add")
    return values.sum()
@kernel
def hashed(text):
    return hash(text) == hash("quedge")
@kernel
def doubled(values):
    return 2.0 * total(values)
"""


def in_another_process(folder: Path, program: str) -> list[str]:
    """What a program prints that has the kernels of `REACHING`, line by line."""
    (folder / "reaching.py").write_text(REACHING)
    program = f"import sys, numpy as np; from reaching import *\n{program}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=folder,
        capture_output=True, text=True, check=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "kept"), "PYTHONPATH": f"{SRC}{os.pathsep}{folder}"},
    )  # fmt: skip
    return done.stdout.splitlines()


def test_kept_code_is_loaded_without_what_numba_compiles_with(folder: Path) -> None:
    program = "print(total(np.ones(3)), 'numba.np.arraymath' in sys.modules)"
    assert in_another_process(folder, program) == ["3.0 True"]
    assert in_another_process(folder, program) == ["3.0 False"]


def test_kept_code_that_is_linked_to_more_than_numba_s_runtime_finds_it(folder: Path) -> None:
    program = "print(hashed('quedge'), hashed('other'), sum(hashed.stats.cache_hits.values()))"
    assert in_another_process(folder, program) == ["True False 0"]
    assert in_another_process(folder, program) == ["True False 1"]


def test_code_is_compiled_from_kept_code_and_kept_code_fails_by_its_own_errors(folder: Path) -> None:
    in_another_process(folder, "print(total(np.ones(3)))")
    later = """
print(total(np.ones(3)), sum(total.stats.cache_hits.values()))
print(doubled(np.ones(3)), total(np.ones((2, 2))))
try:
    total(np.ones(0))
except ValueError as error:
    print(error)
"""
    assert in_another_process(folder, later) == ["3.0 1", "6.0 4.0", "nothing to add"]
    assert in_another_process(folder, "print(doubled(np.ones(3)), doubled.stats.cache_hits != {})") == ["6.0 True"]


def test_no_file_is_read_of_what_has_a_version_in_the_name_of_kept_code(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    content = kernel_cache._content

    def recorded(file: str | None) -> str:
        read.append(str(file))
        return content(file)

    monkeypatch.setattr(kernel_cache, "_content", recorded)
    for each in (frame_terms, solve_chain):  # which call NumPy, math and an extension of Numba
        kernel_cache.source_digest(each.py_func, each.targetoptions)
    assert read
    assert [file for file in read if not Path(file).is_relative_to(SRC)] == []
