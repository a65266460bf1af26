"""What is deployed to the world's AWS account beside its stacks: plan, secrets, and Route 53's health checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from drill import fixture_plan, stacks
from drill.fixture_plan import PLAN, THIRD_REGION


def deploy_plan(aws: Callable[..., Any], plan: Mapping[str, Any], controllers: int) -> None:
    """Plan and secrets, where the controllers are and where the other vantage point is."""
    document = yaml.safe_dump(dict(plan), sort_keys=False)
    for stack, region in stacks.with_plan(controllers).items():
        for site, (key, secret) in fixture_plan.API_KEYS.items():
            aws("secretsmanager", region).create_secret(
                Name=f"failover/{PLAN}/{site}", SecretString=json.dumps({"key": key, "secret": secret})
            )
        aws("ssm", region).put_parameter(
            Name=f"/{stack}/plans/{PLAN}", Value=document, Type="String", Tier="Intelligent-Tiering"
        )


def deploy_health_checks(aws: Callable[..., Any], address: str, ports: Mapping[str, int]) -> None:
    """A health check on each site's load balancer, and its alarm, which the signals stack forwards."""
    for site, port in ports.items():
        endpoint = {
            "Type": "TCP",
            "IPAddress": address,
            "Port": port,
            "RequestInterval": 10,
            "FailureThreshold": 3,
        }
        check = aws("route53").create_health_check(CallerReference=site, HealthCheckConfig=endpoint)
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
