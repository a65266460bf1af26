"""What people type: `failover GROUP COMMAND …`, or `python -m command` where it is not installed.

Each group of commands is a module with an `app` that is added here. An exit code of 0 says that all is well, 1 that
what was looked at is not, 2 that the command could not do what it was asked.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from command import plans
from command.output import complain
from failover.errors import FailoverError

DEBUG = "--debug"

app = typer.Typer(
    name="failover",
    help="The Kafka failover controller, from its operator's side.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(plans.app, name="plans")


@app.callback()
def options(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """The options of every command; `--debug` is taken from the line before it is read."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    line = sys.argv[1:] if arguments is None else arguments
    try:
        app(args=[word for word in line if word != DEBUG], prog_name="failover")
    except FailoverError as error:
        if DEBUG in line:
            raise
        complain(str(error))
    except Exception as error:
        if DEBUG in line:
            raise
        complain(f"{type(error).__name__}: {error}", f"this is an error of the command itself: {DEBUG} shows where")
    sys.exit(2)


if __name__ == "__main__":
    main()
