"""Loaded before every test file: the profile under which Hypothesis draws."""

from tests import strategies  # noqa: F401
