"""Figure 3: the three schemes over time."""

from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import POWER, QUEUE, REWARD, Level, TimeSeries
from quedge.experiments.results import queues_and_powers
from quedge.policy.registry import BESIDE, PAPER_SCHEMES

EXPERIMENT = Experiment(
    name="fig3",
    title="Figure 3: TDMA, NOMA with the heuristic and NOMA with SCA over time",
    caption=(
        "Data queue and power per device, reward of the cell; means over stretches of 1 % of the run. SCA runs all "
        "frames, with its compiled solver."
    ),
    grids=[Grid([*PAPER_SCHEMES, *BESIDE])],
    figure=TimeSeries([QUEUE._replace(scale="log", level=Level(150.0, "paper:\nSCA's peak")), POWER, REWARD]),
    remarks=[
        "All three schemes of the paper show the transient of an agent that learns: queues rise for hundreds to "
        "thousands of frames and fall again. The paper has it for SCA alone, with a peak of about 150 (it says bits), "
        "and explains it by SCA's run time, which slows the convergence. But the axis counts frames, not seconds: a "
        "slow solver changes the time of a frame, not the number of frames that are learned from. Here SCA's peak is "
        "no higher than the heuristic's, and that of time division is the highest.",
        "The paper finds the shortest queue with the heuristic; here SCA's is no longer than that.",
        "The paper compares with a TDMA scheme and never defines it; here it is LyDROO's time division, with its "
        "optimal shares of the frame.",
        "The paper's rewards are not given as numbers. The reward is an objective at the policy's own state: a policy "
        "with longer queues meets larger rewards, so a higher line is not a better policy.",
    ],
    result=lambda found: queues_and_powers(found, 4),
)
