"""A handler in a process of its own, with Lambda's search path: AWS is a moto server, the clusters' REST APIs are the
Confluent stand-in with mirrors in the API only."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import psutil
import yaml
from moto.server import ThreadedMotoServer

from bench.imports import LAYER, ROOT, install_dependencies
from bench.result import NotMeasured
from drill import fixture_plan
from drill.aws import dynamodb
from drill.deployment import plan_item
from drill.network.plain_http import plain
from drill.process import Child, spawn

REGION: Final = fixture_plan.REGIONS[fixture_plan.STANDBY]

CONTEXT: Final = """
import json, sys, time
import app

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "bench", 1769, "bench"
    invoked_function_arn = "arn:aws:lambda:us-west-2:123456789012:function:bench"
    def get_remaining_time_in_millis(self):
        return 20000

event = json.loads(sys.argv[1])
"""
"""How a script begins that calls the handler: `app.handler(dict(event), Context())`."""


@contextmanager
def aws() -> Iterator[str]:
    """A moto server with an empty ledger and the sites' secrets; its endpoint."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    dynamodb.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    plain.post(f"{endpoint}/moto-api/reset")
    client(endpoint, "dynamodb").create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    for site, (key, secret) in fixture_plan.API_KEYS.items():
        client(endpoint, "secretsmanager").create_secret(
            Name=f"failover/{fixture_plan.PLAN}/{site}", SecretString=json.dumps({"key": key, "secret": secret})
        )
    yield endpoint
    server.stop()


def client(endpoint: str, service: str) -> Any:
    """A boto3 client of that server."""
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id="bench", aws_secret_access_key="bench"
    )


@contextmanager
def stand_in(site: str, **config: Any) -> Iterator[Child]:
    """The REST API of a site's cluster; the link that ends there comes from the other one."""
    other = next(other_site for other_site in fixture_plan.API_KEYS if other_site != site)
    key, secret = fixture_plan.API_KEYS[site]
    whole = {
        "site": site,
        "cluster_id": f"lkc-{site}01",
        "api_key": key,
        "api_secret": secret,
        "link": {"name": fixture_plan.LINK, "remote_cluster_id": f"lkc-{other}01"},
        **config,
    }
    with tempfile.TemporaryDirectory() as folder:
        child = spawn("drill.confluent.cluster_rest", whole, log=Path(folder) / "rest.log")
        try:
            yield child
        finally:
            child.stop()


def deploy_plan(endpoint: str, rest: Mapping[str, Child], **changed: Any) -> None:
    """The plan, with nothing of it running but these REST APIs; a site without one has the other's."""
    any_rest = next(iter(rest.values()))
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}01",
            bootstrap="127.0.0.1:9",
            rest=rest.get(site, any_rest).ready["url"],
            balancer="127.0.0.1:9",
        )
        for site in fixture_plan.API_KEYS
    }
    plan = fixture_plan.plan_document(
        addresses, client_bootstrap="127.0.0.1:9", nameserver="127.0.0.1:9", zone_id="Z1", policy={}
    )
    item = plan_item(fixture_plan.PLAN, yaml.safe_dump(plan | changed))
    client(endpoint, "dynamodb").put_item(TableName="ledger", Item=item)


def run(
    endpoint: str, function: str, script: str, event: dict[str, Any], **environment: str
) -> tuple[dict[str, Any], float]:
    """Run a script that calls the handler with the event: the JSON of its last line, and its peak memory in MB, looked
    at every 10 ms. What the system keeps as a peak of its own is no use here: a child begins with that of its parent.

    Raises:
        NotMeasured: with the end of what the process said, if it fails.
    """
    folder = ROOT / "functions" / function
    command = [sys.executable, "-S", "-c", CONTEXT + script, json.dumps(event)]
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(
            command, cwd=folder, env=_environment(endpoint, folder) | environment, stdout=out, stderr=subprocess.STDOUT
        )
        peak = 0
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, process.memory_info().rss)
            time.sleep(0.01)
        out.seek(0)
        output = out.read()
    if process.returncode != 0:
        raise NotMeasured(f"{function} failed: {output.strip()[-500:]}")
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures, peak / 1e6


def _environment(endpoint: str, folder: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    return inherited | {
        "PYTHONPATH": os.pathsep.join(map(str, (folder, LAYER, install_dependencies()))),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "LEDGER_TABLE": "ledger",
        "NOTIFICATION_TOPIC_ARN": client(endpoint, "sns").create_topic(Name="notifications")["TopicArn"],
        "STACK_NAME": "failover",
        "POWERTOOLS_METRICS_NAMESPACE": "Failover",
        "POWERTOOLS_SERVICE_NAME": "failover",
    }
