"""The `quedge` command: its sub-commands, and how errors and interruptions end it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from quedge import __version__
from quedge.cli.capacity import capacity_of_scenario
from quedge.cli.decide import decide
from quedge.cli.demo import demo
from quedge.cli.emulate import emulate_devices
from quedge.cli.export import export_agent
from quedge.cli.init import init
from quedge.cli.options import UsageError, with_ray_address
from quedge.cli.pqc import pqc
from quedge.cli.reproduce import report, reproduce_paper
from quedge.cli.run import run
from quedge.cli.serve import serve
from quedge.cli.sweep import sweep
from quedge.cli.tls_init import tls_init
from quedge.cli.train import train_agent
from quedge.cli.tune import tune_scenario
from quedge.errors import MissingExtraError
from quedge.experiments.engine.workers import WorkersError

_FAILED, _MISUSED, _INTERRUPTED, _BROKEN_PIPE = 1, 2, 130, 141
_OUTPUT = "output"


class _CommandError(Exception):
    """Carries an error past typer, as its cause."""


class _Commands(TyperGroup):
    """Commands whose errors reach `main`: typer takes an EOFError for Ctrl-C, and a broken pipe for that of output."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is named."""
        try:
            return super().invoke(ctx)
        except (EOFError, OSError) as error:
            raise _CommandError from error


app = typer.Typer(
    name="quedge",
    cls=_Commands,
    help="Who offloads, with which power, in every frame - solved to proven optimality.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(decide)
app.command()(init)
app.command("train")(train_agent)
app.command("export")(export_agent)
app.command()(demo)
app.command("capacity")(capacity_of_scenario)
app.command("reproduce")(reproduce_paper)
app.command()(sweep)
app.command()(report)
app.command("tune")(tune_scenario)
app.command()(serve)
app.command("emulate")(emulate_devices)
app.command("tls-init")(tls_init)
app.add_typer(pqc, name="pqc")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"quedge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    # typer takes the options that stand before the sub-command from this function's signature
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    SIGPIPE stays ignored, as Python has it: where a reader of our output or a peer of a socket goes away is an error of
    that stream alone, and no end of a service.

    Args:
        arguments: what follows the command's name; `sys.argv` by default.

    Returns:
        0, or 1 where something failed, 2 for an error of use, 130 after Ctrl-C, 141 where nobody reads the output any
        more.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever called us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (as long as we live)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show 'µ'
    with _named_output():
        try:
            return _status_of(arguments)
        finally:
            for stream in (sys.stdout, sys.stderr):
                _flush_last(stream)


def _status_of(arguments: list[str]) -> int:
    try:
        status = typer.main.get_command(app).main(
            with_ray_address(arguments), prog_name="quedge", standalone_mode=False
        )
        sys.stdout.flush()
    except _CommandError as passed:
        return _failed(passed.__cause__)
    except SystemExit as ended:  # typer and rich end so where nobody reads
        if isinstance(ended.__context__, BrokenPipeError):
            return _BROKEN_PIPE
        raise
    except (UsageError, MissingExtraError, WorkersError) as error:
        return _complain(str(error), _MISUSED)
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except OverflowError as error:
        return _complain(str(error), _MISUSED)
    except MemoryError:
        return _complain("not enough memory for a run of this size", _FAILED)
    except OSError as error:
        return _failed(error)
    except Exception as error:
        if _is_interruption(error):
            return _INTERRUPTED
        if not hasattr(error, "format_message"):
            raise
        # An error of the parser: older versions of typer stand on click, newer ones on a copy of it without a public
        # name for the base of these errors, but all of them have this method.
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "quedge"
        return _complain(f"{error.format_message().rstrip('.')}. See '{command} --help'.", _MISUSED)
    return status if isinstance(status, int) else 0


def _failed(error: BaseException | None) -> int:
    """Report an error of a file, a stream or a socket by name, as far as it has one, and return the exit status.

    Raises:
        EOFError: a mistake of ours; it keeps its traceback.
    """
    if not isinstance(error, OSError):
        raise error or RuntimeError
    if isinstance(error, BrokenPipeError) and error.filename == _OUTPUT:
        return _BROKEN_PIPE
    reason = error.strerror or str(error)
    return _complain(f"{error.filename or type(error).__name__}: {reason}", _FAILED)


@contextlib.contextmanager
def _named_output() -> Iterator[None]:
    """Mark errors of standard output, and no others, by the file name "output"."""
    given = sys.stdout
    if type(given) is io.TextIOWrapper:
        with contextlib.suppress(OSError):
            given.flush()
        raw = _Output(given.fileno(), "wb", closefd=False)
        sys.stdout = io.TextIOWrapper(
            raw if given.write_through else io.BufferedWriter(raw),  # as Python does it
            given.encoding, given.errors, line_buffering=given.line_buffering, write_through=given.write_through,
        )  # fmt: skip
    try:
        yield
    finally:
        sys.stdout = given


class _Output(io.FileIO):
    def write(self, data: Any, /) -> Any:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = _OUTPUT
            raise


def _is_interruption(error: BaseException | None) -> bool:
    """Whether Ctrl-C stands behind an error; compiled code that it hits on entry reports a SystemError instead."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _complain(message: str, status: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads
        print(f"quedge: {' '.join(message.split())}", file=sys.stderr)
    return status


def _flush_last(stream: TextIO) -> None:
    """Keep Python from failing once more when it flushes a stream at its end, on a full disk, say."""
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except ValueError:  # closed
        return
