"""The house: imports point downward only, and a heavy library enters in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import quedge

PACKAGE = Path(quedge.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    "errors": 0,
    "pqc": 1,
    "model": 2,
    "allocation": 3,
    "policy": 4,
    "simulation": 5,
    "controller": 5,
    "files": 6,
    "region": 6,
    "environment": 7,
    "service": 7,
    "experiments": 8,
    "emulator": 8,
    "cli": 9,
}

HEAVY = {
    "matplotlib": ("environment/picture.py", "experiments/figures/"),
    "pyarrow": (
        "experiments/engine/store.py",
        "files/traces.py",
        "simulation/recordings/parquet.py",
        "simulation/recordings/text.py",
    ),
    "scipy": ("simulation/recordings/matrices.py", "region/bundle.py"),
    "h5py": ("simulation/recordings/matrices.py",),
    "ray": ("experiments/engine/ray_cluster.py",),
    "optuna": ("experiments/tuning.py",),
    "cryptography": ("pqc/uplink/by_cryptography.py", "service/tls/"),
    "pqcrypto": ("pqc/uplink/by_pqcrypto.py",),
    "grpc": ("service/", "emulator/"),
    "grpc_health": ("service/health.py",),
    "grpc_reflection": ("service/reflection.py",),
    "google": ("service/",),
    "opentelemetry": ("service/monitoring/spans.py",),
    "prometheus_client": ("service/",),
    "structlog": ("service/",),
    "jinja2": ("experiments/report.py",),
    "typer": ("cli/",),
    "pandas": ("simulation/columns.py",),
    "xarray": ("simulation/columns.py",),
    "onnx": ("policy/lydroo/onnx/",),
    "onnxruntime": ("policy/lydroo/onnx/forward.py",),
    "tensorboardX": ("files/tensorboard.py",),
    "torch": ("files/tensorboard.py", "experiments/model_free/training.py"),
    "gymnasium": ("environment/",),
    "pettingzoo": ("environment/agents.py",),
    "stable_baselines3": ("environment/stable_baselines.py", "experiments/model_free/training.py"),
    "cvxpy": ("allocation/sca/cvxpy.py",),
    "clarabel": ("region/bundle.py",),
}
"""Where a heavy library may be imported; a folder ends in a slash."""


def imports(path: Path) -> Iterator[str]:
    """Full names of all modules that a file imports, at its top or inside a function."""
    package = ("quedge", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def names(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=names)
def test_imports_point_downward_only(path: Path) -> None:
    inside = path.relative_to(PACKAGE).parts
    if len(inside) == 1:
        return  # the package's root stands above all floors
    floor = inside[0]
    assert floor in FLOORS, f"{floor} is no floor of the house"
    for imported in imports(path):
        root, *parts = imported.split(".")
        if root != "quedge":
            continue
        below = parts[0] if parts and parts[0] in FLOORS else "the package's root"
        if below == "the package's root":
            assert FLOORS[floor] >= FLOORS["files"], f"{names(path)} imports {imported} from the package's root"
        else:
            assert below == floor or FLOORS[below] < FLOORS[floor], f"{names(path)} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=names)
def test_heavy_libraries_enter_where_they_belong(path: Path) -> None:
    for imported in imports(path):
        places = HEAVY.get(imported.split(".")[0])
        allowed = places is None or any(names(path).startswith(place) for place in places)
        assert allowed, f"{names(path)} imports {imported}"


COMPILER = ("numba", "numpy")
ON_DEMAND = (
    "matplotlib",
    "typer",
    "pydantic",
    "pyarrow",
    "scipy.io",
    "h5py",
    "rich",
    "pandas",
    "xarray",
    "torch",
    "cvxpy",
    "clarabel",
    "ray",
    "optuna",
    "jinja2",
    "cryptography",
    "pqcrypto",
    "grpc",
    "grpc_health",
    "grpc_reflection",
    "google.protobuf",
    "opentelemetry",
    "prometheus_client",
    "structlog",
    "onnx",
    "onnxruntime",
    "gymnasium",
    "pettingzoo",
    "tensorboardX",
    "stable_baselines3",
)  # of scipy, numba looks for the bare package


@pytest.mark.parametrize(
    ("program", "left_out"), [("import quedge", (*COMPILER, *ON_DEMAND)), ("from quedge import *", ON_DEMAND)]
)
def test_importing_the_package_and_its_names_loads_no_heavy_library(program: str, left_out: tuple[str, ...]) -> None:
    program += f"\nimport sys; print([name for name in {left_out!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_command_line_loads_no_library_of_an_extra_before_it_is_needed() -> None:
    extras = sorted(HEAVY.keys() - {"scipy", "typer"})
    program = f"import sys, quedge.cli.command; print([name for name in {extras!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_no_file_is_called_after_nothing() -> None:
    called = {path.stem for path in FILES}
    assert not called & {"utils", "common", "helpers", "misc", "core"}
