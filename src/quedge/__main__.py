"""`python -m quedge` is the command line."""

import sys

from quedge.cli import main

if __name__ == "__main__":
    sys.exit(main())
