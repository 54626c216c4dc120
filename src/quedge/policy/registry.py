"""The policies under the names that commands, tables and figures give them."""

from __future__ import annotations

from typing import NamedTuple

from quedge.allocation.sca import NomaSca
from quedge.allocation.tdma import Tdma
from quedge.policy.auto import Auto
from quedge.policy.baselines import AllLocal, AllOffload, BestPair, BestSingle, Random
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.exact import Exact
from quedge.policy.lagrangian import Lagrangian
from quedge.policy.lydroo import DROO as DROO_AGENT
from quedge.policy.lydroo import EQUIVARIANT as EQUIVARIANT_AGENT
from quedge.policy.lydroo import LYDROO_PUBLIC as PUBLIC_RECIPE
from quedge.policy.lydroo import Lydroo
from quedge.policy.myopic import Myopic, MyopicSaving
from quedge.policy.policy import Learner, Policy
from quedge.policy.robust import Robust
from quedge.policy.rounding import RandomRounding
from quedge.policy.subchannels import ExactGroups, Ofdma, RoundRobin, StrongWeak


class Scheme(NamedTuple):
    """A policy with its name.

    Attributes:
        name: what it is called.
        policy: who decides.
    """

    name: str
    policy: Policy | Learner


EXACT = Scheme("exact", Exact())
AUTO = Scheme("auto", Auto())
LYDROO_NOMA = Scheme("lydroo-noma", Lydroo())
LYDROO_SCA = Scheme("lydroo-sca", Lydroo(allocator=NomaSca()))
LYDROO_TDMA = Scheme("lydroo-tdma", Lydroo(allocator=Tdma()))
LYDROO_PUBLIC = Scheme("lydroo-public", PUBLIC_RECIPE)
EQUIVARIANT = Scheme("equivariant", EQUIVARIANT_AGENT)
BEST_PAIR = Scheme("best-pair", BestPair())
BEST_SINGLE = Scheme("best-single", BestSingle())
ALL_LOCAL = Scheme("all-local", AllLocal())
ALL_OFFLOAD = Scheme("all-offload", AllOffload())
ROBUST = Scheme("robust", Robust())
RANDOM = Scheme("random", Random())
LYCD = Scheme("lycd", LyCd())
LAGRANGIAN = Scheme("lagrangian", Lagrangian())
RANDOM_ROUNDING = Scheme("random-rounding", RandomRounding())
DROO = Scheme("droo", DROO_AGENT)
MYOPIC = Scheme("myopic", Myopic())
MYOPIC_SAVING = Scheme("myopic-saving", MyopicSaving())
EXACT_GROUPS = Scheme("exact-groups", ExactGroups())
OFDMA = Scheme("ofdma", Ofdma())
STRONG_WEAK = Scheme("strong-weak", StrongWeak())
ROUND_ROBIN = Scheme("round-robin", RoundRobin())

DEMO_SCHEMES = (
    EXACT, EQUIVARIANT, AUTO, LYDROO_NOMA, LYDROO_SCA, LYDROO_TDMA, LYDROO_PUBLIC,
    BEST_PAIR, BEST_SINGLE, ALL_LOCAL, ALL_OFFLOAD, RANDOM,
)  # fmt: skip
"""Those that `quedge demo` compares."""

LITERATURE_SCHEMES = (LYCD, LAGRANGIAN, RANDOM_ROUNDING, DROO, MYOPIC, MYOPIC_SAVING)
"""Baselines that the literature compares with."""

GROUP_SCHEMES = (EXACT_GROUPS, STRONG_WEAK, ROUND_ROBIN, OFDMA)
"""Those that assign sub-channels."""

SCHEMES = (*DEMO_SCHEMES, ROBUST, *LITERATURE_SCHEMES, *GROUP_SCHEMES)
"""Every scheme that has a name."""

PAPER_SCHEMES = (LYDROO_TDMA, LYDROO_NOMA, LYDROO_SCA)
"""The three that the paper compares: its agent with each of the critics."""

BESIDE = (EQUIVARIANT, EXACT)
"""What stands beside them: quedge's own agent, and the optimum of each frame."""
