"""What botocore knows of AWS's endpoints, without the services that no function calls: 7 MB less in each worker.

Every call of the drill goes to AWS_ENDPOINT_URL. What is still read there is the region that a call is signed for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import botocore

SERVICES: Final = frozenset(
    {
        "dynamodb",
        "ecs",
        "eks",
        "elasticloadbalancing",
        "events",
        "iam",
        "lambda",
        "monitoring",
        "route53",
        "s3",
        "secretsmanager",
        "sns",
        "sqs",
        "states",
        "sts",
    }
)
"""By the prefixes of their endpoints."""


def lead_to(directory: Path) -> dict[str, str]:
    """Write the file into a directory. Gives the variable that has botocore read it before its own."""
    directory.mkdir(parents=True, exist_ok=True)
    whole: Any = json.loads((Path(botocore.__file__).parent / "data" / "endpoints.json").read_text(encoding="utf-8"))
    partition = next(partition for partition in whole["partitions"] if partition["partition"] == "aws")
    services = {name: service for name, service in partition["services"].items() if name in SERVICES}
    document = whole | {"partitions": [partition | {"services": services}]}
    (directory / "endpoints.json").write_text(json.dumps(document), encoding="utf-8")
    return {"AWS_DATA_PATH": str(directory)}
