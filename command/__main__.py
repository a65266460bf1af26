"""What people type: `failover COMMAND …`, or `python -m command` where it is not installed.

An exit code of 0 says that all is well, 1 that what was looked at is not, 2 that the command could not do what it was
asked. Where the controller is may be said anywhere in the line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError

from command import act, planned, plans, practice, render, report, rescue, start, status
from command.controller import STACK, Options
from command.cost import cost
from command.doctor import doctor
from command.errors import remedy_of
from command.output import complain, is_read, print_to_nobody, show_json
from failover.errors import FailoverError

DEBUG: Final = "--debug"
JSON: Final = "--json"
DRILL: Final = "--drill"
_FLAGS: Final = (DEBUG, DRILL)
_WRONG_LINE: Final = typer.BadParameter.__bases__
"""What a wrong option and a missing argument raise, of which typer names none but this one."""
_WITH_VALUE: Final = ("--stack", "--region", "--profile")

app = typer.Typer(
    name="failover",
    help="The Kafka failover controller, from its operator's side.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for looks in (status.status, status.check, status.decisions, status.history, report.report):
    app.command(rich_help_panel="Look")(looks)
app.command("practices", rich_help_panel="Look")(practice.list_practices)
app.add_typer(rescue.app, name="rescue", rich_help_panel="Look")
for name, starts in (
    ("switchover", planned.start_switchover),
    ("restore", planned.start_restore),
    ("failback", planned.start_failback),
    ("practice", practice.start_practice),
):
    start.app.command(name)(starts)
app.add_typer(start.app, name="start", rich_help_panel="Act")
for acts in (start.supersede, act.approve, act.deny, act.abort, act.redrive, act.pause, act.resume):
    app.command(rich_help_panel="Act")(acts)
app.add_typer(plans.app, name="plans", rich_help_panel="Prepare")
app.command(rich_help_panel="Prepare")(doctor)
app.command(rich_help_panel="Prepare")(cost)
app.command("render", rich_help_panel="Prepare")(render.render_plan)


@app.callback()
def options(
    context: typer.Context,
    stack: Annotated[str, typer.Option(help="The controller's stack.", envvar="FAILOVER_STACK")] = STACK,
    drill: Annotated[bool, typer.Option(DRILL, help="The drill that runs in this directory, not AWS.")] = False,
    region: Annotated[str | None, typer.Option(help="The controller's region; by default AWS_REGION.")] = None,
    profile: Annotated[str | None, typer.Option(help="The AWS profile; by default AWS_PROFILE.")] = None,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    """The options of every command; they may stand anywhere in the line."""
    context.obj = Options(stack=stack, drill=drill, region=region, profile=profile)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    line = sys.argv[1:] if arguments is None else arguments
    try:
        app(args=options_first(line), prog_name="failover")
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # The help's reader has gone.
            print_to_nobody()
        if JSON in line and isinstance(ended.__context__, _WRONG_LINE):
            show_json(_of_wrong_line(ended.__context__))
        if not is_read() and ended.code == 1:  # Nobody reads what is not well; what could not be done stays an error.
            sys.exit(0)
        raise
    except Exception as error:
        if DEBUG in line:
            raise
        what, remedy = explained(error, of_drill=DRILL in line)
        complain(what, remedy, as_json=JSON in line)
    sys.exit(2)


def explained(error: Exception, *, of_drill: bool = False) -> tuple[str, str]:
    """What is to be said of an error, and what to do next."""
    if isinstance(error, FailoverError):
        return str(error), f"next: {remedy_of(error, of_drill=of_drill)}"
    if isinstance(error, ClientError | BotoCoreError):
        return f"AWS: {error}", "next: see whether --profile and --region are right, and you are logged in"
    return (
        f"{type(error).__name__}: {error}",
        f"next: {DEBUG} shows where; this is an error of the command itself",
    )


def _of_wrong_line(error: Any) -> dict[str, str]:
    """A line that is no command, for machines. People were told in words by then."""
    command = error.ctx.command_path if error.ctx else "failover"
    return {"error": error.format_message(), "next": f"{command} --help"}


def options_first(line: Sequence[str]) -> list[str]:
    """A line with the options of every command before the command."""
    first, rest = list[str](), list[str]()
    words = iter(line)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            first.append(word)
        elif word in _WITH_VALUE:
            first += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return first + rest


if __name__ == "__main__":
    main()
