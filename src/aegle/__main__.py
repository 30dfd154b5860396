"""``python -m aegle``: the command line."""

from aegle.cli import main

main()
