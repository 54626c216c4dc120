"""What post-quantum security costs: real algorithms, devices and framings, and what follows for an uplink."""

from quedge.pqc.costs import Effort, Power, Traffic, effort_of, traffic_of
from quedge.pqc.profiles import MissingNumberError, Profiles, known_profiles
from quedge.pqc.suite import SUITES, Suite

__all__ = [
    "SUITES",
    "Effort",
    "MissingNumberError",
    "Power",
    "Profiles",
    "Suite",
    "Traffic",
    "effort_of",
    "known_profiles",
    "traffic_of",
]
