"""`quedge tune`: V and ν for a power budget."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from quedge.cli import options
from quedge.cli.options import complete_policies, frames_option, integer_option
from quedge.cli.progress import empty_table, output_console, print_note, progress_bars
from quedge.cli.reproduce import workers_for
from quedge.cli.traces import ArrivalTrace, ChannelTrace, LayoutOption, read_traces
from quedge.cli.usage import refusing
from quedge.errors import not_allowed, one_of
from quedge.experiments.tuning import GOALS, Setting, Tuned, Tuning, TuningError, tune
from quedge.files.policies import ALLOWED, check_served, policies_by_name
from quedge.files.scenario import read_scenario
from quedge.policy.registry import Scheme
from quedge.simulation.estimates import Estimate
from quedge.simulation.world import draw_world

_DEFAULT = Tuning()


def tune_scenario(
    scenario: options.ScenarioFile = None,
    policy: Annotated[str, typer.Option(help=f"Who decides: {ALLOWED}.", autocompletion=complete_policies)] = "exact",
    minimise: Annotated[str, typer.Option(help=f"What to minimise: {', '.join(GOALS)}.")] = _DEFAULT.goal,
    frames: Annotated[
        int | None,
        frames_option(
            f"Frames per run; the second half is measured. Without it, {_DEFAULT.frames:,}, or as many as traces hold."
        ),
    ] = None,
    trials: Annotated[int, integer_option(1, 10_000, "Number of settings to try.")] = _DEFAULT.trials,
    seed: options.Seed = 0,
    settings: options.Settings = None,
    learner: options.LearnerSettings = None,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    layout: LayoutOption = None,
    workers: options.WorkersOption = None,
    ray: options.RayOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Search for the V and ν of the shortest queue or delay, or of the fewest late bits, within the power budget.

    Settings are tried under common seeds; the best are run again under fresh ones, beside the scenario's own.
    The exit status is 1 if none of them keeps the budget.
    """
    with refusing():
        if minimise not in GOALS:
            raise not_allowed("--minimise", minimise, one_of(GOALS))
        ((name, chosen),) = policies_by_name([policy], learner or ()).items()
        traces = read_traces(channel_trace, arrival_trace, layout)
        given = read_scenario(scenario, settings or (), traces.devices).scenario
        if minimise == "deadline_violation" and given.deadline_s is None:
            raise ValueError(f"--minimise {minimise}: is not allowed without a deadline, such as --set deadline_s=5")
        check_served({name: chosen}, given)
        count = frames or traces.frames or _DEFAULT.frames
        draw_world(given, count, seed, traces.channel, traces.arrivals)  # refuses traces that do not fit
    tuning = Tuning(goal=minimise, frames=count, trials=trials, seed=seed)
    with progress_bars() as progress:
        try:
            tuned = tune(
                given, Scheme(name, chosen), tuning, workers_for(workers, ray),
                lambda done, total: progress("runs", done, total),
                traces.channel, traces.arrivals,
            )  # fmt: skip
        except TuningError as error:
            print(f"quedge: a run failed: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(_as_object(tuned), allow_nan=False))
    else:
        _print(tuned, tuning, name)
    if not tuned.best.keeps_budget:
        why = "no setting that was checked under fresh seeds keeps the budget; this one draws the least"
        print(f"quedge: {why}", file=sys.stderr)
        raise typer.Exit(1)


def _as_object(tuned: Tuned) -> dict[str, object]:
    best, baseline = tuned.best, tuned.baseline
    return {
        "v": best.v,
        "nu": best.nu,
        **_measures("", best),
        "keeps_budget": best.keeps_budget,
        "budget_w": tuned.budget_w,
        "baseline_v": baseline.v,
        "baseline_nu": baseline.nu,
        **_measures("baseline_", baseline),
        "tried": tuned.tried,
        "runs": tuned.runs,
    }


def _measures(prefix: str, setting: Setting) -> dict[str, object]:
    measured: dict[str, object] = {}
    for name in ("data_queue_mbit", "delay_p95_frames", "deadline_violation_ratio", "power_w", "power_max_device_w"):
        value: Estimate = getattr(setting, name)
        measured |= {f"{prefix}{name}": value.mean, f"{prefix}{name}_ci95": [value.low, value.high]}
    return measured


def _print(tuned: Tuned, tuning: Tuning, policy: str) -> None:
    has_deadline = tuning.goal == "deadline_violation"
    headings = ["", "V", "ν", "queue\nMbit", "delay, 95 %\nframes", "power\nW", "largest\nW"]
    if has_deadline:
        headings.insert(5, "late\nshare")
    table = empty_table(headings, texts=(0,))
    for name, setting in (("found", tuned.best), ("the scenario's own", tuned.baseline)):
        late = [_text(setting.deadline_violation_ratio, 4)] if has_deadline else []
        table.add_row(
            name, f"{setting.v:.4g}", f"{setting.nu:.4g}", _text(setting.data_queue_mbit, 2),
            _text(setting.delay_p95_frames, 1), *late, _text(setting.power_w, 4), _text(setting.power_max_device_w, 4),
        )  # fmt: skip
    console = output_console(piped_width=132 if has_deadline else 110)
    console.print(table)
    print_note(
        console,
        f"{policy}, {tuning.frames:,} frames, seeds 0 to {tuning.fresh_seeds - 1}, ± half of the 95 % confidence "
        f"interval; {tuned.tried} settings tried in {tuned.runs} runs; mean power within {tuning.tolerance:.1%} of "
        f"{tuned.budget_w:g} W",
    )
    print(f"--set v={tuned.best.v:.4g} --set nu={tuned.best.nu:.4g}")


def _text(value: Estimate, digits: int) -> str:
    return f"{value.mean:.{digits}f} ± {value.high - value.mean:.{digits}f}"
