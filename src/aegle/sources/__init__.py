"""Paths and streams -> raw documents through readers: streaming, resumable, unstoppable."""

from aegle.sources.discover import STDIN
from aegle.sources.events import Event, FileDone, Got, Limits, Refused
from aegle.sources.read import read

__all__ = ["STDIN", "Event", "FileDone", "Got", "Limits", "Refused", "read"]
