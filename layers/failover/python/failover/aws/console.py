"""Where AWS's console shows what a message is about, to whoever may sign in there: no link gets anybody in."""

from __future__ import annotations

import os

Link = tuple[str, str]
"""What it leads to, and where it does."""


def execution_links(arn: str) -> tuple[Link, ...]:
    """To the run of an execution; none without its ARN."""
    if arn.count(":") < 4:
        return ()
    region = arn.split(":")[3]
    address = f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{arn}"
    return (("Execution", address),)


def board_links() -> tuple[Link, ...]:
    """To the board of this controller's stack; none where nobody says which it is."""
    region, stack = os.environ.get("AWS_REGION"), os.environ.get("STACK_NAME")
    if not (region and stack):
        return ()
    home = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    return (("Board", f"{home}#dashboards/dashboard/{stack}-{region}"),)
