"""Policies that assign sub-channels: who offloads, on which, with which power."""

from quedge.policy.subchannels.exact import ExactGroups, group_bounds, group_bounds_in
from quedge.policy.subchannels.rules import Ofdma, RoundRobin, StrongWeak

__all__ = ["ExactGroups", "Ofdma", "RoundRobin", "StrongWeak", "group_bounds", "group_bounds_in"]
