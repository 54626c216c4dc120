"""Real suites of post-quantum algorithms: what security level, rekeying, device and encryption cost the cell."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.panels import OFFLOAD_RATIO, OFFLOAD_RATIO_COLUMN, POWER, POWER_COLUMN, QUEUE, QUEUE_COLUMN
from quedge.experiments.paper.fig7 import PQC_POWERS_W
from quedge.experiments.presentation import Column, Level, Panel, Presentation, Sweep, Table
from quedge.experiments.probes.secured_simulation import SecuredSimulation
from quedge.experiments.schemes import EXACT

LEVELS = ("level1", "level3", "level5")
REKEY_FRAMES = (1, 10, 100)
CHACHA, HARDWARE = "ChaCha20-Poly1305", "AES-256-GCM-HW"
PLAIN_C, ASSEMBLY, CONSTANT_TIME = "AES-256-GCM", "AES-256-GCM-ASM", "AES-256-GCM-CT"
MODULES = (
    ("stm32f411", CHACHA),
    ("stm32f411", PLAIN_C),
    ("stm32f411", CONSTANT_TIME),
    ("stm32f411", ASSEMBLY),
    ("stm32l4", HARDWARE),
    ("stm32l4", CHACHA),
    ("stm32l4", PLAIN_C),
    ("stm32l4", ASSEMBLY),
)
"""Devices with the encryption that they run, and of AES in software which build; the F411 has no AES unit."""

FRAMES, SEEDS = 4_000, 3  # each cell is run some ten times, to find its largest stable rate

CIRCUIT_POWER = Panel("circuit_power_w", "P_q while offloading (W)", level=Level(PQC_POWERS_W[-1], "paper's largest"))
PAYLOAD_FACTOR = Panel("sent_payload_factor", "payload factor η", "close")
STABLE_RATE = Panel("largest_stable_rate_mbps", "largest stable λ (Mbit/s)", "close")


def cells(levels: tuple[str, ...], modules: tuple[tuple[str, str], ...]) -> list[dict[str, object]]:
    """Suites on modules, at every interval between key exchanges."""
    return [
        {"suite": suite, "device": device, "aead": aead, "rekey_frames": rekey}
        for suite in levels
        for device, aead in modules
        for rekey in REKEY_FRAMES
    ]


SUITES = Experiment(
    name="beyond-pqc",
    title="What a post-quantum suite costs the cell",
    caption=(
        "The exact policy at λ = 3 Mbit/s, each module running a suite with the pinned framing and records of 16 KiB. "
        "The figure is of level 3; the table has all levels. P_q is what a module draws in frames in which its device "
        "offloads: a part for the key exchange, and one in proportion to the bits that it encrypts."
    ),
    grids=[Grid([EXACT], cells(LEVELS, MODULES), frames=FRAMES, seeds=SEEDS)],
    probe=SecuredSimulation(),
    shown=Presentation(
        Sweep(
            "rekey_frames",
            "offloading frames a key exchange",
            [CIRCUIT_POWER, PAYLOAD_FACTOR, OFFLOAD_RATIO, QUEUE, POWER, STABLE_RATE],
            lines=("device", "aead"),
            logarithmic=True,
            only={"suite": "level3"},
        ),
        Table(
            [("suite", "suite"), ("device", "device"), ("aead", "encryption"), ("rekey_frames", "rekey (frames)")],
            [
                Column("circuit_power_w", "P_q, mean (W)", 4),
                Column("circuit_power_p95_w", "P_q, 95 % (W)", 4),
                Column("sent_mbit", "sent a frame (Mbit)", 2),
                Column("sent_payload_factor", "η", 5),
                OFFLOAD_RATIO_COLUMN,
                QUEUE_COLUMN,
                POWER_COLUMN,
                Column("largest_stable_rate_mbps", "largest stable λ (Mbit/s)", 2),
            ],
        ),
    ),
    remarks=[
        "The paper sweeps a constant P_q from 0 to 0.10 W. Where in that range a real suite lies is set by the device "
        "and the encryption of the data; the lattice algorithms matter where keys are exchanged in every frame. A "
        "module never draws more than its active power, 0.0774 W or 0.0288 W here.",
        "What AES-256-GCM in software secures depends on the build. wolfSSL's C code without assembly at -Os takes "
        "321 cycles a byte on a Cortex-M4 (AES-256-GCM), the best published constant-time parts 329 in sum (-CT): at "
        "most 2 Mbit/s on the L4 and 2.4 on the F411. The policy offloads what that allows, and at λ = 3 Mbit/s queues "
        "grow. AES in assembly with tables and a GHASH with tables take 115 in sum (-ASM): at most 5.6 and 6.7 Mbit/s, "
        "more than arrives and less than a good channel would carry; tables are not constant time where a cache lies "
        "before them. The sums are derived: docs/pqc.md has their parts.",
        "Cycles are counted at zero flash wait states and powers were measured while lattice code ran, so both are "
        "estimates; docs/pqc.md gives the sources.",
    ],
    chapter=BEYOND,
)

LEVELS_ALONE = Experiment(
    name="beyond-pqc-levels",
    title="Security levels 1, 3 and 5",
    caption="An STM32F411 with ChaCha20-Poly1305: cells of the experiment above, a line a security level.",
    grids=[Grid([EXACT], cells(LEVELS, MODULES[:1]), frames=FRAMES, seeds=SEEDS)],
    probe=SecuredSimulation(),
    shown=Presentation(
        Sweep(
            "rekey_frames",
            "offloading frames a key exchange",
            [CIRCUIT_POWER, PAYLOAD_FACTOR, QUEUE],
            lines=("suite",),
            logarithmic=True,
        ),
    ),
    chapter=BEYOND,
)
