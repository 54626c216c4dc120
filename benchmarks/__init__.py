"""What quedge is measured by; see `table.py`."""
