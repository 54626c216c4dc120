"""The files that quedge reads and writes: scenarios, traces, agents, exported actors; and plug-ins by name."""
