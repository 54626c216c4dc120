"""Recorded channel gains and arrivals, with one reader per kind of file."""
