"""CloudFormation's plain resources, each created by the API call that CloudFormation would make."""

from __future__ import annotations

import json
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from drill.aws.intrinsics import TemplateError
from drill.aws.template import BUCKET_POLICY, Creator, Resource, Stack

_QUEUE_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)
_TABLE = (
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
    "StreamSpecification",
)
_SCHEDULE = ("Description", "EndDate", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate")


def attribute_text(value: Any) -> str:
    """An attribute of a queue or topic as their APIs take it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def table(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("TableName", stack.physical_name(logical_id))
    dynamodb = stack.client("dynamodb")
    dynamodb.create_table(TableName=name, **{key: properties[key] for key in _TABLE if key in properties})
    if "TimeToLiveSpecification" in properties:
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    return Resource("AWS::DynamoDB::Table", name, {"Arn": stack.arn("dynamodb", f"table/{name}")})


def global_table(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    """One table that every replica's region shares: what is written in one is read in the other at once, as with
    multi-Region strong consistency.

    Source: "How DynamoDB global tables work", Amazon DynamoDB developer guide: such a table has two replicas and a
    witness, or three replicas, and no TTL.
    """
    regions = [replica["Region"] for replica in properties["Replicas"]]
    witnesses = [witness["Region"] for witness in properties.get("GlobalTableWitnesses", [])]
    if properties.get("MultiRegionConsistency") != "STRONG" or len({*regions, *witnesses}) != 3 or len(regions) < 2:
        raise TemplateError(f"{logical_id}: the drill shares a table of strong consistency in three regions only")
    if "TimeToLiveSpecification" in properties or "LocalSecondaryIndexes" in properties:
        raise TemplateError(f"{logical_id}: a table with multi-Region strong consistency has no TTL and no local index")
    without_ttl = {key: value for key, value in properties.items() if key != "TimeToLiveSpecification"}
    made = table(stack, logical_id, without_ttl)
    backends = dynamodb_backends[stack.account]
    for region in regions:
        backends[region].tables[made.ref] = backends[stack.region].tables[made.ref]
    return Resource("AWS::DynamoDB::GlobalTable", made.ref, made.attributes)


def topic(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("TopicName", stack.physical_name(logical_id))
    sns = stack.client("sns")
    names = ("DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication")
    attributes = {key: attribute_text(properties[key]) for key in names if key in properties}
    arn = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    for subscription in properties.get("Subscription", []):
        sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
    return Resource("AWS::SNS::Topic", arn, {"TopicArn": arn, "TopicName": name, "Arn": arn})


def subscription(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    names = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")
    answer = stack.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes={key: attribute_text(properties[key]) for key in names if key in properties},
    )
    arn = answer["SubscriptionArn"]
    return Resource("AWS::SNS::Subscription", arn, {"Arn": arn})


def queue(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    fifo = ".fifo" if properties.get("FifoQueue") else ""
    name = properties.get("QueueName", stack.physical_name(logical_id) + fifo)
    attributes = {key: attribute_text(properties[key]) for key in _QUEUE_ATTRIBUTES if key in properties}
    url = stack.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Resource("AWS::SQS::Queue", url, {"Arn": stack.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def rule(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("Name", stack.physical_name(logical_id))
    bus = properties.get("EventBusName", "default")
    events = stack.client("events")
    pattern = {"EventPattern": json.dumps(properties["EventPattern"])} if "EventPattern" in properties else {}
    names = ("Description", "ScheduleExpression", "State")
    arn = events.put_rule(
        Name=name, EventBusName=bus, **pattern, **{key: properties[key] for key in names if key in properties}
    )["RuleArn"]
    if properties.get("Targets"):
        events.put_targets(Rule=name, EventBusName=bus, Targets=[_target(target) for target in properties["Targets"]])
    return Resource("AWS::Events::Rule", name, {"Arn": arn})


def _target(target: dict[str, Any]) -> dict[str, Any]:
    """A rule's target as PutTargets takes it; YAML may have made numbers of its policy's text, or the other way."""
    if "RetryPolicy" in target:
        return {**target, "RetryPolicy": {key: int(value) for key, value in target["RetryPolicy"].items()}}
    return target


def bus(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties["Name"]
    arn = stack.client("events").create_event_bus(Name=name)["EventBusArn"]
    return Resource("AWS::Events::EventBus", name, {"Arn": arn, "Name": name})


def schedule(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("Name", stack.physical_name(logical_id))
    target = {"RoleArn": stack.role(), **properties["Target"]}
    arn = stack.client("scheduler").create_schedule(
        Name=name,
        FlexibleTimeWindow=properties.get("FlexibleTimeWindow", {"Mode": "OFF"}),
        State=properties.get("State", "ENABLED"),
        Target=_target(target),
        **{key: properties[key] for key in _SCHEDULE if key in properties},
    )["ScheduleArn"]
    return Resource("AWS::Scheduler::Schedule", name, {"Arn": arn})


def alarm(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("AlarmName", stack.physical_name(logical_id))
    numbers: dict[str, float] = {
        key: float(properties[key]) if key == "Threshold" else int(properties[key])
        for key in ("Threshold", "Period", "EvaluationPeriods", "DatapointsToAlarm")
        if key in properties
    }
    stack.client("cloudwatch").put_metric_alarm(**{**properties, **numbers, "AlarmName": name})
    return Resource("AWS::CloudWatch::Alarm", name, {"Arn": stack.arn("cloudwatch", f"alarm:{name}")})


def composite_alarm(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    """moto has none: the alarm bridge adds PutCompositeAlarm."""
    name = properties.get("AlarmName", stack.physical_name(logical_id))
    stack.client("cloudwatch").put_composite_alarm(**{**properties, "AlarmName": name})
    return Resource("AWS::CloudWatch::CompositeAlarm", name, {"Arn": stack.arn("cloudwatch", f"alarm:{name}")})


def health_check(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    reference = stack.physical_name(logical_id)
    route53 = stack.client("route53")
    created = route53.create_health_check(CallerReference=reference, HealthCheckConfig=properties["HealthCheckConfig"])
    return Resource(
        "AWS::Route53::HealthCheck", created["HealthCheck"]["Id"], {"HealthCheckId": created["HealthCheck"]["Id"]}
    )


def record_set(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    names = ("Failover", "HealthCheckId", "Name", "SetIdentifier", "Type", "Weight")
    records = [{"Value": value} for value in properties["ResourceRecords"]]
    described = {key: properties[key] for key in names if key in properties}
    described |= {"TTL": int(properties["TTL"]), "ResourceRecords": records}
    change = {"Action": "CREATE", "ResourceRecordSet": described}
    stack.client("route53").change_resource_record_sets(
        HostedZoneId=properties["HostedZoneId"], ChangeBatch={"Changes": [change]}
    )
    return Resource("AWS::Route53::RecordSet", properties["Name"])


def bucket(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name = properties.get("BucketName", f"{stack.physical_name(logical_id)}-{stack.region}".lower())
    # us-east-1 is where a bucket is when nothing is said, and it can't be said.
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": stack.region}}
    stack.client("s3").create_bucket(Bucket=name, **({} if stack.region == "us-east-1" else elsewhere))
    domain = f"{name}.s3.{stack.region}.amazonaws.com"
    return Resource("AWS::S3::Bucket", name, {"Arn": f"arn:aws:s3:::{name}", "RegionalDomainName": domain})


def bucket_policy(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    """A bucket's policy, but for what refuses plain HTTP: the drill's AWS speaks nothing else."""
    document = properties["PolicyDocument"]
    heeded = [one for one in document["Statement"] if "aws:SecureTransport" not in json.dumps(one.get("Condition"))]
    if heeded:
        policy = json.dumps({**document, "Statement": heeded})
        stack.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return Resource(BUCKET_POLICY, properties["Bucket"])


def secret(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    """A secret whose content Secrets Manager makes up, as GenerateSecretString says."""
    name = properties.get("Name", stack.physical_name(logical_id))
    manager = stack.client("secretsmanager")
    generation = {
        key: int(value) if key == "PasswordLength" else value
        for key, value in properties.get("GenerateSecretString", {}).items()
    }
    arn = manager.create_secret(Name=name, SecretString=manager.get_random_password(**generation)["RandomPassword"])[
        "ARN"
    ]
    return Resource("AWS::SecretsManager::Secret", arn, {"Id": arn})


def parameter(stack: Stack, logical_id: str, properties: dict[str, Any]) -> Resource:
    name, value = properties.get("Name", stack.physical_name(logical_id)), properties["Value"]
    stack.client("ssm").put_parameter(Name=name, Value=value, Type=properties["Type"])
    return Resource("AWS::SSM::Parameter", name, {"Type": properties["Type"], "Value": value})


CREATORS: dict[str, Creator] = {
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::CompositeAlarm": composite_alarm,
    "AWS::DynamoDB::GlobalTable": global_table,
    "AWS::DynamoDB::Table": table,
    "AWS::Events::EventBus": bus,
    "AWS::Events::Rule": rule,
    "AWS::Route53::HealthCheck": health_check,
    "AWS::Route53::RecordSet": record_set,
    "AWS::S3::Bucket": bucket,
    BUCKET_POLICY: bucket_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::SNS::Topic": topic,
    "AWS::SQS::Queue": queue,
    "AWS::SSM::Parameter": parameter,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::SecretsManager::Secret": secret,
}
