"""moto's EC2 without its tables of images and instance types, which take 58 MB and nothing of the drill looks at.

Whoever imports moto's Step Functions, ECS or Systems Manager imports its EC2 too. Import this before them.
"""

from __future__ import annotations

from typing import Any

from moto.utilities import utils

TABLES = "ec2/resources/"


def leave_out() -> None:
    """Import moto's EC2 with its tables empty; of no effect once it was imported."""
    load_resource = utils.load_resource

    def load_others(resource: str) -> Any:
        return {} if resource.startswith(TABLES) else load_resource(resource)

    utils.load_resource = load_others
    try:
        import moto.ec2  # noqa: F401
    finally:
        utils.load_resource = load_resource


leave_out()
