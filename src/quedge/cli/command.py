"""The `quedge` command: its sub-commands, and how errors and interruptions end it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TextIO

import typer

from quedge import __version__
from quedge.cli.group import CommandGroup, Place
from quedge.cli.usage import UsageError, with_ray_address
from quedge.errors import MissingExtraError, WorkersError, not_allowed

_FAILED, _MISUSED, _INTERRUPTED, _BROKEN_PIPE = 1, 2, 130, 141
_OUTPUT = "output"


class _CommandError(Exception):
    """Carries an error past typer, as its cause."""


_COMMANDS = (
    Place("run", "quedge.cli.run", "run",
          "Simulate a scenario, every policy in the same world, and compare them."),
    Place("decide", "quedge.cli.decide", "decide",
          "Decide frames: JSON Lines with channel_gain, data_queue_mbit and energy_queue in, decisions out."),
    Place("init", "quedge.cli.init", "init",
          "Write a commented scenario file with every key, its unit and default."),
    Place("train", "quedge.cli.train", "train_agent",
          "Train an agent; `quedge run --agent FILE` runs it."),
    Place("export", "quedge.cli.export", "export_agent",
          "Export a trained agent's network as an ONNX model; `quedge run --agent FILE` runs it in ONNX Runtime."),
    Place("demo", "quedge.cli.demo", "demo",
          "Compare policies in the paper's scenario and on ray-traced channels of Munich; draw one figure."),
    Place("capacity", "quedge.cli.capacity", "capacity_of_scenario",
          "Bound the largest load that any policy can carry within its power budgets, from both sides."),
    Place("reproduce", "quedge.cli.reproduce", "reproduce_paper",
          "Run the paper's experiments and ours beside them: figures, tables and one page, report.html."),
    Place("sweep", "quedge.cli.sweep", "sweep",
          "Run a scenario at all combinations of some keys' values: a table, a figure, every number, and report.html."),
    Place("report", "quedge.cli.reproduce", "report",
          "Write report.html, one self-contained page with all figures and tables that a folder holds."),
    Place("tune", "quedge.cli.tune", "tune_scenario",
          "Search for the V and ν of the shortest queue or delay, or of the fewest late bits, "
          "within the power budget."),
    Place("warm-up", "quedge.cli.warm_up", "warm_up",
          "Compile the solvers of all policies, or of those that are named, and keep their machine code on disk."),
    Place("doctor", "quedge.cli.doctor", "doctor",
          "Tell which libraries and extras are installed, how to get what is missing, and where machine code is kept."),
    Place("serve", "quedge.cli.serve", "serve",
          "Serve decisions over gRPC: a base station or its devices report each frame and receive the decision."),
    Place("state", "quedge.cli.state", "state",
          "The state folder of `quedge serve`: inspect, verify, back up, restore, export, forget."),
    Place("emulate", "quedge.cli.emulate", "emulate_devices",
          "Play a scenario's world against the controller service and check every answer."),
    Place("tls-init", "quedge.cli.tls_init", "tls_init",
          "Make a certificate authority for tests, a server's certificate and one for each client."),
    Place("pqc", "quedge.cli.pqc", "pqc",
          "What post-quantum security costs: derived, measured, and emulated."),
)  # fmt: skip


class _Commands(CommandGroup):
    """Commands whose errors reach `main`: typer takes an EOFError for Ctrl-C, and a broken pipe for that of output."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(places=_COMMANDS, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is named."""
        _check_threads()
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


def _check_threads() -> None:
    """Refuse a number of threads that Numba would stop at, with a traceback.

    Raises:
        UsageError: NUMBA_NUM_THREADS is no such number.
    """
    given = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not given.strip().isdecimal() or int(given) < 1:
        raise UsageError(str(not_allowed("NUMBA_NUM_THREADS", given, "an integer, at least 1")))


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
    if os.environ.get("COLUMNS", "").strip("0 ") == "":
        os.environ.pop("COLUMNS", None)  # a width of 0 is an unknown one; rich would print nothing
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
