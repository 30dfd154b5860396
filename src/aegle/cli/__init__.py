"""The shell door: ``aegle COMMAND``; parse, call one flow, print."""

from aegle.cli.app import main

__all__ = ["main"]
