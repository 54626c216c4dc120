"""Loaded before every test file: the profile under which Hypothesis draws, and the processes that tests run in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import strategies  # noqa: F401
from tests.compiling import PARTS, ROOT

MOST_PROCESSES = 4


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each processor, for the whole suite; what is picked out of it runs in this process.

    `-n 0` and `-n 2` say otherwise.
    """
    from quedge.experiments.engine.process_pool import usable_processors

    is_picked = any(getattr(config.option, name, None) for name in ("keyword", "markexpr", "lf"))
    is_whole = config.args_source == pytest.Config.ArgsSource.TESTPATHS and not is_picked
    processes = min(usable_processors(), MOST_PROCESSES)
    return processes if is_whole and processes > 1 else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile what most tests need before processes start, each of which would compile it for itself."""
    if session.config.getoption("numprocesses", None) and not session.config.option.collectonly:
        compiling = [subprocess.Popen([sys.executable, "-m", "tests.compiling", part], cwd=ROOT) for part in PARTS]
        for each in compiling:
            each.wait()
