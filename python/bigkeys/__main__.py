"""The program: ``python -m bigkeys`` and the script ``bigkeys``."""

import sys

from . import _bigkeys


def main() -> int:
    """Runs it with the arguments of this process; gives its exit code."""
    return _bigkeys.main(["bigkeys", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
