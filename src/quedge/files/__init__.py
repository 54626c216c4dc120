"""Where quedge meets its users: the command line and the files it reads and writes."""
