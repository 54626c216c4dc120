"""From the findings of single cells to the numbers that figures and tables show."""
