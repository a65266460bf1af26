"""The operator's commands: `python -m failover --table LEDGER decisions|state|pause|resume|abort PLAN`.

AWS credentials and region as for the AWS CLI. Approving is in docs/operate.md; starting is Step Functions' own.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from datetime import UTC, datetime
from typing import Final

from failover.aws.clients import client
from failover.decision.log import DecisionRecord, decisions
from failover.detection.signal_store import signals
from failover.errors import AbortRefused, FailoverError
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it was done."""
    options = _parser().parse_args(arguments)
    book = Ledger(client("dynamodb"), options.table)
    try:
        print(_COMMANDS[options.command](book, options))
    except FailoverError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m failover", description=__doc__)
    parser.add_argument("--table", default=os.environ.get("LEDGER_TABLE", "failover-ledger"), help="the ledger's table")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "decisions", help="the latest decisions, also those to do nothing, the last one first"
    )
    command.add_argument("plan")
    command.add_argument("--most", type=int, default=20, help="how many")
    command.add_argument("--json", action="store_true", help="whole, with their evidence, one a line")
    command = commands.add_parser("state", help="where the plan stands, and what each source last said")
    command.add_argument("plan")
    command = commands.add_parser("pause", help="start nothing by itself until it is resumed")
    command.add_argument("plan")
    command.add_argument("--why", required=True)
    command.add_argument("--by", default=getpass.getuser())
    command = commands.add_parser("resume", help="end a pause, and take a denial back")
    command.add_argument("plan")
    command = commands.add_parser("abort", help="have the switchover that is under way put back what it changed")
    command.add_argument("plan")
    command.add_argument("--why", required=True)
    command.add_argument("--by", default=getpass.getuser())
    return parser


def _decisions(book: Ledger, options: argparse.Namespace) -> str:
    records = decisions(book, options.plan, options.most)
    if options.json:
        return "\n".join(json.dumps(record.as_document() | {"evidence": record.evidence}) for record in records)
    return "\n".join(map(_line, records)) or f"nothing was decided of {options.plan} yet"


def _line(record: DecisionRecord) -> str:
    started = f"; started {record.started}" if record.started else ""
    return f"{_written(record.at)}  {record.by:<20}  {record.decision.verdict:<10}  {record.decision.why}{started}"


def _state(book: Ledger, options: argparse.Namespace) -> str:
    state = book.state(options.plan, "(home)")
    lines = [
        f"active   {state.active}, epoch {state.epoch}",
        f"lease    {_lease(state)}",
        f"paused   {state.paused or 'no'}",
        f"denied   {_denial(state)}",
        f"changed  {_written(state.changed_at) if state.changed_at else 'never'}",
    ]
    for signal in sorted(signals(book, options.plan), key=lambda signal: (signal.site, signal.source)):
        verdict = "lost" if signal.says_lost else "not lost"
        lines.append(f"signal   {signal.site}  {signal.source:<32}  {verdict:<8}  {_written(signal.at)}  {signal.why}")
    return "\n".join(lines)


def _lease(state: PlanState) -> str:
    if state.holder is None:
        return "free"
    aborted = f", to be aborted by {state.abort_wish.by}" if state.abort_wish else ""
    return f"{state.holder}{', past its point of no return' if state.no_return == state.holder else aborted}"


def _denial(state: PlanState) -> str:
    denial = state.denial
    return f"from {denial.site} since {_written(denial.at)}, {denial.execution}: {denial.why}" if denial else "no"


def _pause(book: Ledger, options: argparse.Namespace) -> str:
    book.pause(options.plan, f"{options.by}: {options.why}")
    return f"{options.plan} is paused: nothing is started by itself until it is resumed"


def _resume(book: Ledger, options: argparse.Namespace) -> str:
    book.resume(options.plan)
    return f"{options.plan} goes on"


def _abort(book: Ledger, options: argparse.Namespace) -> str:
    holder = book.state(options.plan, "(home)").holder
    if holder is None:
        raise AbortRefused(f"nothing is under way for {options.plan}")
    book.request_abort(options.plan, holder, options.by, options.why)
    return f"{holder} puts back what it changed, and stands down"


_COMMANDS: Final = {
    "decisions": _decisions,
    "state": _state,
    "pause": _pause,
    "resume": _resume,
    "abort": _abort,
}


def _written(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


if __name__ == "__main__":
    sys.exit(main())
