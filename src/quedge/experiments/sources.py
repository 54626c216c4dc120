"""Which files decide what a module computes: its own, and those of all that it imports, directly or not.

Imports are read from the sources, those inside functions included, so that no list has to be kept by hand and nothing
has to be loaded. What stands under `if TYPE_CHECKING:` runs nowhere and decides nothing.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent

_ROOT = "quedge"
_DATA = ("data/**/*", "*/data/**/*")
_INSTALLED = ("site-packages", "dist-packages")
_DIGEST_BYTES = 6

_TYPES_ONLY = re.compile(r"^([ \t]*)if [\w.]*TYPE_CHECKING:[ \t]*\n(?:\1[ \t]+[^\n]*\n|[ \t]*\n)*", re.MULTILINE)
_IMPORT = re.compile(
    r"(?:^|[;:])[ \t\f]*(?:from[ \t]*([\w.]+)[ \t]*import\b[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]+))",
    re.MULTILINE,
)
_NAME = re.compile(r"([\w.]+)(?:\s+as\s+\w+)?")


class OwnFiles(NamedTuple):
    """What decides a module that is none of this package's.

    Attributes:
        files: the module's file and those that it imports from beside it, by their place in the folder that holds its
            top-level module or package; of an installed package, the package's alone.
        imported: names that these files import from this package.
    """

    files: dict[str, Path]
    imported: frozenset[str]


def is_of_the_package(module: str) -> bool:
    """Whether a module, or a name in it, is this package's."""
    return module.partition(".")[0] == _ROOT


def imported_names(text: str, package: tuple[str, ...]) -> Iterator[str]:
    """Full names of all modules that a source imports, and of what it takes from them, which may be modules, too.

    Args:
        text: the source.
        package: the package that it stands in, for relative imports.
    """
    text = re.sub(r"#[^\n]*", "", text).replace("\\\n", " ")
    for module, taken, several in _IMPORT.findall(_TYPES_ONLY.sub("", text)):
        if several:
            for name in _NAME.findall(several):
                yield from (name.partition(".")[0], name)
            continue
        dots = len(module) - len(module.lstrip("."))
        above = package[: len(package) - dots + 1] if dots else ()
        full = ".".join((*above, *filter(None, [module.lstrip(".")])))
        yield full
        yield from (f"{full}.{name}" for name in _NAME.findall(taken))


def deciding_files(modules: Iterable[str], package: Path) -> list[Path]:
    """The sources of this package that modules of it reach by imports, and the data files that these name.

    The root's `__init__.py`, which only gathers names, is among them where one of its names is taken.

    Args:
        modules: full names.
        package: the package's folder.
    """
    sources: set[Path] = set()
    waiting = [path for module in modules for path in _files_of(package, module)]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources.add(path)
            waiting += _source(path, package).reaches
    data = {path for source in sources for path in _source(source, package).data}
    return sorted(sources | data)


@functools.cache
def package_digest(modules: frozenset[str], package: Path) -> str:
    """A digest of `deciding_files`, as they were when it was first asked for."""
    files = deciding_files(modules, package)
    return digest_of_files({path.relative_to(package).as_posix(): path for path in files})


def own_files(module: str) -> OwnFiles:
    """What decides a loaded module that is none of this package's; no files where it has none, as in a notebook."""
    loaded = sys.modules.get(module)
    start = Path(getattr(loaded, "__file__", None) or "")
    if not start.is_file():
        return OwnFiles({}, frozenset())
    spec = getattr(loaded, "__spec__", None)  # none of a script, which is called __main__
    folder, parts = _place(start, start.stem if spec is None else spec.name)
    found, imported = {start}, set()
    waiting = [start, *_reached(folder, parts)]
    while waiting:
        path = waiting.pop()
        found.add(path)
        if path.suffix != ".py":
            continue
        for name in imported_names(_text(path), path.relative_to(folder).parent.parts):
            if is_of_the_package(name):
                imported.add(name)
            elif folder.name not in _INSTALLED or name.partition(".")[0] == parts[0]:
                waiting += [file for file in _reached(folder, name.split(".")) if file not in found]
    return OwnFiles({path.relative_to(folder).as_posix(): path for path in found}, frozenset(imported))


def digest_of_files(files: dict[str, Path]) -> str:
    """A digest of files and of the names under which they are known."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


class _Source(NamedTuple):
    """What a source of the package reaches at once: files that its imports run, and data files that it names."""

    reaches: tuple[Path, ...]
    data: tuple[Path, ...]


@functools.cache
def _source(path: Path, package: Path) -> _Source:
    text = _text(path)
    names = set(imported_names(text, (_ROOT, *path.relative_to(package).parent.parts)))
    reached = {file for name in names if is_of_the_package(name) for file in _files_of(package, name)}
    return _Source(tuple(reached), tuple(file for file in _data_files(package) if file.name in text))


@functools.cache
def _data_files(package: Path) -> list[Path]:
    return [path for pattern in _DATA for path in package.glob(pattern) if path.is_file()]


@functools.cache
def _files_of(package: Path, name: str) -> list[Path]:
    """The files of the package that an import of a name in it runs."""
    return list(_reached(package, name.split(".")[1:])) or [package / "__init__.py"]


def _reached(folder: Path, parts: list[str]) -> Iterator[Path]:
    """The files that an import of a name from a folder runs: of packages their `__init__.py`, and a module's."""
    for part in parts:
        inside, module = folder / part, folder / f"{part}.py"
        if (inside / "__init__.py").is_file():
            yield inside / "__init__.py"
        elif module.is_file():
            yield module
            return
        elif not inside.is_dir():
            return
        folder = inside


def _place(file: Path, name: str) -> tuple[Path, list[str]]:
    """The folder from which a module is imported, and the parts of its name."""
    parts = name.split(".")
    place = file.parent if file.name == "__init__.py" else file.with_suffix("")
    if list(place.parts[-len(parts) :]) == parts:
        return place.parents[len(parts) - 1], parts
    return file.parent, [file.stem]  # loaded under a name that is not its file's


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
