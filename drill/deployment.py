"""What is deployed to the world's AWS account beside its stacks: plan, secrets, and Route 53's health checks."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from drill import fixture_plan, stacks
from drill.fixture_plan import PLAN, THIRD_REGION


def plan_item(name: str, text: str) -> dict[str, Any]:
    """A plan's item in the ledger, past the door that checks it."""
    return {
        "pk": {"S": "plans"},
        "sk": {"S": f"deployed#{name}"},
        "revision": {"N": "1"},
        "document": {"B": gzip.compress(text.encode(), mtime=0)},
    }


def deploy_plan(
    aws: Callable[..., Any], plan: Mapping[str, Any], controllers: int, *, own_plans_at_third: bool
) -> None:
    """The plan, and its secrets where the controllers are and where the other vantage point is."""
    item = plan_item(PLAN, yaml.safe_dump(dict(plan), sort_keys=False))
    aws("dynamodb").put_item(TableName=stacks.ledger(controllers), Item=item)
    if own_plans_at_third:
        aws("dynamodb").create_table(
            TableName=stacks.THIRD_LEDGER,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        aws("dynamodb").put_item(TableName=stacks.THIRD_LEDGER, Item=item)
    for region in stacks.vantage_regions(controllers):
        for site, (key, secret) in fixture_plan.API_KEYS.items():
            aws("secretsmanager", region).create_secret(
                Name=f"failover/{PLAN}/{site}", SecretString=json.dumps({"key": key, "secret": secret})
            )


def deploy_health_checks(aws: Callable[..., Any], address: str, ports: Mapping[str, int]) -> None:
    """A health check on each load balancer, and its alarm, which the signals stack forwards."""
    for site, port in ports.items():
        endpoint = {
            "Type": "TCP",
            "IPAddress": address,
            "Port": port,
            "RequestInterval": 10,
            "FailureThreshold": 3,
        }
        check = aws("route53").create_health_check(CallerReference=f"{site}-alarm", HealthCheckConfig=endpoint)
        aws("cloudwatch", THIRD_REGION).put_metric_alarm(
            AlarmName=fixture_plan.health_check_alarm(site),
            Namespace="AWS/Route53",
            MetricName="HealthCheckStatus",
            Dimensions=[{"Name": "HealthCheckId", "Value": check["HealthCheck"]["Id"]}],
            Statistic="Minimum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="LessThanThreshold",
        )
