"""The command line: groups its commands and turns errors into exit codes."""

from __future__ import annotations

import errno
import gc
import sys
from typing import Annotated

import typer

from aegle.cli import (
    ablating,
    asking,
    assessing,
    compressing,
    exporting,
    federating,
    filling,
    instructing,
    jobs,
    keys,
    parity,
    promoting,
    retrievers,
    reviewing,
    rolling,
    serving,
    show,
    training,
    tuning,
)
from aegle.core.errors import AegleError

app = typer.Typer(
    name="aegle",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 done, 1 failed, 2 usage or settings, 3 not found, 4 unreadable input, "
        "5 privacy, 6 workspace, 7 workspace busy, 8 backend, 9 missing extra, 11 busy, "
        "130 interrupted."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show.say(f"aegle {version('aegle')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Small language models for healthcare and cybersecurity, run where the data is.

    \b
    Start here:
      aegle demo                          a sample hospital, in the browser
      aegle init -w hospital              a workspace of your own
      aegle ingest notes/ logs/           your files into it
      aegle ask "What is PUMP-0042 connected to?"
    """


filling.register(app)
asking.register(app)
assessing.register(app)
serving.register(app)
keys.register(app)
training.register(app)
jobs.register(app)
instructing.register(app)
reviewing.register(app)
retrievers.register(app)
tuning.register(app)
ablating.register(app)
compressing.register(app)
exporting.register(app)
parity.register(app)
promoting.register(app)
rolling.register(app)
federating.register(app)


def main() -> None:
    """Run the command line; errors end with their class's exit code."""
    # A question makes a million small objects that all live until it is answered; looking through
    # them for garbage again and again took a third of the time.
    gc.set_threshold(200_000, 20, 100)
    try:
        app()
    except AegleError as error:
        show.fail(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        show.fail("interrupted; what was stored is whole, run the command again to go on")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            show.fail("the disk is full; free some space and run the command again")
            sys.exit(6)
        show.fail_unforeseen(error)
        sys.exit(1)
    except Exception as error:
        show.fail_unforeseen(error)
        sys.exit(1)
