"""What the options of `quedge serve` come to, and which of them go together."""
