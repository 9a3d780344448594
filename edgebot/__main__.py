"""`python -m edgebot` and the command `edgebot`."""

import sys


def main() -> None:
    """Run the command line."""
    from edgebot.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
