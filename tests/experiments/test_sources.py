"""What decides a cell is covered by its name, on the real tree and on copies of it; what only shows it is not."""

from __future__ import annotations

import ast
import functools
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quedge.allocation.sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.experiments import fingerprint
from quedge.experiments.catalogue import EXPERIMENTS
from quedge.experiments.experiment import QUICK, points_of
from quedge.experiments.fingerprint import PACKAGE, _kinds, deciding_files, name_of
from quedge.experiments.job import Job
from quedge.experiments.probes.allocation_time import AllocationTime
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.probes.secured import SecuredSimulation
from quedge.experiments.probes.simulation import QueueAndPower, Simulation
from quedge.files.fingerprint import OwnFiles, imported_names, own_files
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestPair, BestSingle
from quedge.policy.exact import Exact
from quedge.policy.lydroo import Lydroo
from quedge.simulation.recordings.recording import MunichWalk

SMALL = Scenario(devices=3)
JOBS = {
    "exact": Job(SMALL, Exact(), 0, 12, Simulation(points=4)),
    "sca": Job(SMALL, Lydroo(allocator=NomaSca(), batch=4, update_every=2), 0, 12, LearningCost()),
    "times": Job(SMALL, NomaSca(), 0, 3, AllocationTime(settle=3)),
    "munich": Job(Scenario(), Lydroo(allocator=Tdma()), 0, 12, QueueAndPower(), channel=MunichWalk()),
    "secured": Job(
        Scenario(devices=2, suite="level3", device="stm32f411", estimate_error=0.1, doppler_hz=0.1),
        BestPair(), 0, 40, SecuredSimulation(samples=20),
    ),
    "carried": Job(SMALL, BestSingle(), 0, 30, CarriedLoad(tolerance=0.05)),
}  # fmt: skip
"""Cells of every kind, small enough to run uncompiled."""

SHOWING = (
    "cli/", "service/", "controller/", "emulator/", "experiments/figures/", "experiments/engine/", "experiments/paper/",
    "experiments/beyond/", "experiments/presentation.py", "experiments/records.py", "experiments/rows.py",
    "experiments/tables.py", "experiments/report.py", "experiments/publication.py", "experiments/tuning.py",
    "experiments/experiment.py", "experiments/catalogue.py", "experiments/paper_numbers.py", "data/paper/",
)  # fmt: skip
"""What only arranges, shows or commands."""


def covered(job: Job, package: Path = PACKAGE) -> set[str]:
    """The files of the package that a job's name covers."""
    made_of = _kinds((job, job.policy, job.probe, job.channel, job.arrivals))
    modules = {kind.__module__ for kind in made_of if kind.__module__.startswith("quedge.")}
    return {path.relative_to(package).as_posix() for path in deciding_files(modules, package)}


@functools.cache
def executed() -> dict[str, list[str]]:
    """The files of the package in which code runs as each of `JOBS` runs, every kernel as Python, by a profiler."""
    program = (
        "import json, sys; from pathlib import Path; from tests.experiments.test_sources import JOBS, PACKAGE\n"
        "ran = {}\n"
        "for name, job in JOBS.items():\n"
        "    seen = set()\n"
        "    sys.setprofile(lambda frame, event, _: seen.add(frame.f_code.co_filename) if event == 'call' else None)\n"
        "    job.run()\n"
        "    sys.setprofile(None)\n"
        "    inside = [Path(file) for file in seen if file.startswith(str(PACKAGE))]\n"
        "    ran[name] = [file.relative_to(PACKAGE).as_posix() for file in inside]\n"
        "print(json.dumps(ran))"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", JOBS)
def test_every_file_in_which_a_cell_runs_is_covered(name: str) -> None:
    ran = set(executed()[name])
    assert len(ran) > 12
    assert {path.partition("/")[0] for path in ran} >= {"experiments", "model", "policy", "simulation"}
    assert ran - covered(JOBS[name]) == set()


@pytest.mark.parametrize("name", JOBS)
def test_what_security_costs_is_covered_with_its_tables(name: str) -> None:
    tables = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "pqc").rglob("*.csv")}
    assert len(tables) == 5
    assert covered(JOBS[name]) >= tables | {"pqc/costs.py", "pqc/profiles.py", "pqc/suite.py", "model/security.py"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_cell_of_any_experiment_depends_on_what_only_shows_it(name: str) -> None:
    files = {file for point in points_of(EXPERIMENTS[name], QUICK) for file in covered(point.job)}
    assert {file for file in files if file.startswith(SHOWING)} == set()
    assert "experiments/job.py" in files


def test_only_cells_that_walk_through_munich_depend_on_the_walk() -> None:
    assert [name for name, job in JOBS.items() if "data/munich_walk.npz" in covered(job)] == ["munich"]


def test_every_data_file_is_named_in_full_by_the_source_that_reads_it() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    for data in PACKAGE.rglob("*"):
        inside = data.relative_to(PACKAGE)
        if data.is_dir() or data.suffix == ".py" or "__pycache__" in inside.parts:
            continue
        if inside.as_posix() in NOT_READ or inside.parent.as_posix() == "service/monitoring/page":
            continue
        assert "data" in inside.parts[:2], f"{inside}: data files stand in folders called data"
        assert [path for path, text in texts.items() if data.name in text], f"{inside}: no source names it"


NOT_READ = {
    "py.typed",
    "data/ATTRIBUTION.md",
    "data/lydroo_result_10.mat",  # for users, as a recording
    "experiments/report.html",
    "service/packed.proto",
    "service/packed_pb2.pyi",
    "service/quedge.proto",
    "service/quedge_pb2.pyi",
}
"""Files that no findings come from."""


def parsed(path: Path) -> Iterator[str]:
    """What a source imports, by Python's own parser."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_are_read_as_python_s_parser_reads_them() -> None:
    only_typed = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        missed = set(parsed(path)) - set(imported_names(text, ()))
        if missed:
            assert "TYPE_CHECKING" in text, f"{path}: {missed}"
            only_typed.add(path.relative_to(PACKAGE).as_posix())
    assert "__init__.py" in only_typed  # the service's clients, which it loads when they are asked for


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import a.b as c, d", {"a", "a.b", "d"}),
        ("x = 1; import a", {"a"}),
        ("if x: from a import b", {"a", "a.b"}),
        ("from a import (  # one (or two)\n    b,\n    c as d,\n)", {"a", "a.b", "a.c"}),
        ("from a import b, \\\n    c", {"a", "a.b", "a.c"}),
        ("def f():\n\tfrom a import*", {"a"}),
        ("from . import b", {"p.q", "p.q.b"}),
        ("from .a import b", {"p.q.a", "p.q.a.b"}),
        ("from ..a import(b)", {"p.a", "p.a.b"}),
        ("if TYPE_CHECKING:\n    from a import b\n\n    import c\nimport d", {"d"}),
        ("if t.TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("# import a\nimportant = 1\nimport_module = 2", set()),
    ],
)
def test_an_import_is_found_however_it_is_written(text: str, names: set[str]) -> None:
    assert set(imported_names(text, ("p", "q"))) == names


def copied(folder: Path) -> Path:
    """A copy of the package."""
    return Path(shutil.copytree(PACKAGE, folder / "quedge", ignore=shutil.ignore_patterns("__pycache__")))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


EVERY = set(JOBS)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("pqc/costs.py", EVERY),
        ("pqc/data/algorithms.csv", EVERY),
        ("model/uplink.py", EVERY),
        ("model/kernel_cache.py", EVERY),
        ("simulation/world.py", EVERY),
        ("experiments/job.py", EVERY),
        ("policy/lydroo/features.py", {"sca", "munich"}),
        ("allocation/sca/barrier.py", {"sca", "times"}),
        ("experiments/probes/carried_load.py", {"carried", "secured", "sca"}),
        ("data/munich_walk.npz", {"munich"}),
        ("data/paper/table3_nu.csv", set()),
        ("experiments/figures/style.py", set()),
        ("experiments/report.html", set()),
        ("experiments/beyond/pqc.py", set()),
        ("cli/run.py", set()),
        ("__init__.py", set()),
    ],
)
def test_a_byte_changes_the_names_of_the_cells_that_it_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, changes: set[str]
) -> None:
    before = {name: name_of(job) for name, job in JOBS.items()}
    package = copied(tmp_path)
    with (package / file).open("ab") as end:
        end.write(b"\n")
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    assert {name for name, job in JOBS.items() if name_of(job) != before[name]} == changes


def test_a_process_with_twice_the_wire_bytes_names_cells_anew_and_one_with_another_caption_does_not(
    tmp_path: Path,
) -> None:
    package = copied(tmp_path)
    program = (
        "from tests.experiments.test_sources import JOBS; from quedge.experiments.fingerprint import name_of; "
        "from quedge.experiments.catalogue import EXPERIMENTS; "
        "print(name_of(JOBS['secured']), EXPERIMENTS['beyond-pqc-levels'].title)"
    )

    def told() -> tuple[str, str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        name, _, title = done.stdout.strip().partition(" ")
        return name, title

    replace(package / "experiments" / "beyond" / "pqc.py", "Security levels 1, 3 and 5", "Levels of security")
    assert told() == (name_of(JOBS["secured"]), "Levels of security")
    replace(package / "pqc" / "costs.py", "return payload + records", "return payload + 2 * records")
    assert told()[0] != name_of(JOBS["secured"])


def loaded(monkeypatch: pytest.MonkeyPatch, folder: Path, module: str, files: dict[str, str]) -> OwnFiles:
    """What decides a module of a user's own, from a folder with some files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    importlib.import_module(module)
    return own_files(module)


def test_a_module_of_one_s_own_is_decided_by_what_it_imports_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "near_policy.py": "import json\nimport numpy\nimport near_helper\ndef f():\n    from near_pack import inner\n",
        "near_helper.py": "import near_policy\n",
        "near_pack/__init__.py": "",
        "near_pack/inner.py": "import near_last\n",
        "near_pack/other.py": "",
        "near_last.py": "from quedge import Exact\nimport quedge.model.cell\n",
        "near_other.py": "",
    }
    found = loaded(monkeypatch, tmp_path, "near_policy", files)
    wanted = {"near_policy.py", "near_helper.py", "near_pack/__init__.py", "near_pack/inner.py", "near_last.py"}
    assert set(found.files) == wanted
    assert found.imported == {"quedge", "quedge.Exact", "quedge.model.cell"}


def test_a_module_in_a_package_of_one_s_own_is_decided_by_what_it_imports_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "far_pack/__init__.py": "from .sub import begins",
        "far_pack/sub/__init__.py": "",
        "far_pack/sub/begins.py": "",
        "far_pack/sub/policy.py": "from ..weights import x\nfrom . import beside\n",
        "far_pack/sub/beside.py": "",
        "far_pack/weights.py": "x = 1",
        "far_pack/unused.py": "",
    }
    found = loaded(monkeypatch, tmp_path, "far_pack.sub.policy", files)
    assert set(found.files) == set(files) - {"far_pack/unused.py"}
    assert found.imported == frozenset()


def test_an_installed_package_is_decided_by_its_own_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "plugged/__init__.py": "from plugged import inside\nimport library",
        "plugged/inside.py": "",
        "library.py": "",
    }
    found = loaded(monkeypatch, tmp_path / "site-packages", "plugged", files)
    assert set(found.files) == {"plugged/__init__.py", "plugged/inside.py"}


def test_whoever_takes_a_name_from_the_package_s_root_depends_on_all_that_it_gathers_but_not_on_the_service() -> None:
    files = {path.relative_to(PACKAGE).as_posix() for path in deciding_files({"quedge.Exact"}, PACKAGE)}
    assert files >= {"__init__.py", "policy/exact/exact.py", "policy/lydroo/agent.py", "simulation/run.py"}
    assert {file for file in files if file.startswith(SHOWING)} == set()


def test_a_script_s_own_policy_is_named_by_the_script_and_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import dataclasses, helper\n"
        "from quedge.experiments.fingerprint import name_of\n"
        "from quedge.experiments.job import Job\n"
        "from quedge.experiments.probes.simulation import QueueAndPower\n"
        "from quedge.model.scenario import Scenario\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Mine:\n"
        "    def decide(self, frame, rng):\n"
        "        raise NotImplementedError\n"
        "print(name_of(Job(Scenario(), Mine(), 0, 10, QueueAndPower())))\n"
    )
    names = []
    for text in ("x = 1\n", "x = 1\n", "x = 2\n"):
        (tmp_path / "helper.py").write_text(text)
        done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        names.append(done.stdout)
    assert names[0] == names[1] != names[2]
