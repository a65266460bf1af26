"""The template, the state machines and the functions fit together, and no function may do more than its step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.deployment.templates import (
    ALARMS,
    MACHINES,
    OWN_KEY,
    RESOURCES,
    ROOT,
    SIGNALS,
    TEMPLATE,
    of_type,
    statements,
    yaml_of,
)

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def test_every_function_is_deployed_and_has_its_sample_event() -> None:
    deployed = {each["CodeUri"] for each in of_type("AWS::Serverless::Function").values()}
    assert deployed == {f"functions/{name}" for name in FUNCTIONS}
    for name in FUNCTIONS:
        assert json.loads((ROOT / "events" / f"{name}.json").read_text())


def test_every_function_keeps_its_logs_for_a_time_and_none_for_ever() -> None:
    for name, each in of_type("AWS::Serverless::Function").items():
        group = each["LoggingConfig"]["LogGroup"]["Ref"]
        assert "RetentionInDays" in RESOURCES[group]["Properties"], name


KNOW_NO_RESOURCE = {
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "ecs:DescribeTaskDefinition",
    "lambda:GetAccountSettings",
    "iam:GetAccountSummary",
    "route53:GetAccountLimit",
    "servicequotas:GetServiceQuota",
    "cloudwatch:DescribeAlarms",
}
"""Or show less than all with a narrower one."""


@pytest.mark.parametrize("name", sorted(of_type("AWS::Serverless::Function")))
def test_a_function_may_touch_only_what_is_the_plans(name: str) -> None:
    for statement in statements(of_type("AWS::Serverless::Function")[name]):
        assert not any(action.endswith(":*") or action == "*" for action in statement["Action"]), statement
        if set(statement["Action"]) <= KNOW_NO_RESOURCE:
            assert statement["Resource"] == "*"
        elif statement["Resource"] == "*":
            assert statement["Action"] in (["ecs:ListTasks", "ecs:DescribeTasks"], ["sts:GetWebIdentityToken"])
            assert "Condition" in statement


def test_only_the_step_that_flips_the_name_may_change_dns_and_only_that_name() -> None:
    may = {
        name: statement
        for name, each in of_type("AWS::Serverless::Function").items()
        for statement in statements(each)
        if "route53:ChangeResourceRecordSets" in statement["Action"]
    }
    assert list(may) == ["FlipDns"]
    names = may["FlipDns"]["Condition"]["ForAllValues:StringLike"]
    assert names["route53:ChangeResourceRecordSetsNormalizedRecordNames"] == [{"Ref": "ClientHostnames"}]


def test_beacons_are_set_by_the_same_step_and_by_no_other() -> None:
    may: dict[str, set[str]] = {}
    for name, each in of_type("AWS::Serverless::Function").items():
        for statement in statements(each):
            if "RescueBuckets" in str(statement["Resource"]) or statement["Resource"] == {"Sub": "${Reports.Arn}/*"}:
                continue
            if beacons := {action for action in statement["Action"] if action.startswith("s3:")}:
                may.setdefault(name, set()).update(beacons)
    assert may == {
        "FlipDns": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
        "CheckReadiness": {"s3:GetObject"},
        "Precheck": {"s3:GetObject"},
        "PrecheckRestore": {"s3:GetObject"},
    }


def test_rescued_records_are_written_for_good_and_read_by_the_step_that_writes_them_alone() -> None:
    may: dict[str, set[str]] = {}
    for name, each in of_type("AWS::Serverless::Function").items():
        for statement in statements(each):
            if re.search("RescueBuckets|RescueKeys", str(statement["Resource"])):
                may.setdefault(name, set()).update(statement["Action"])
    write = {"s3:PutObject", "kms:GenerateDataKey"}
    assert may == {
        "RescueRecords": write | {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"},
        "CheckReadiness": write
        | {"s3:GetBucketPolicy", "s3:GetLifecycleConfiguration", "s3:GetBucketPublicAccessBlock"},
    }


def test_who_holds_the_name_is_toggled_by_the_step_that_flips_it_and_told_by_nobody_else() -> None:
    may: dict[str, set[str]] = {}
    for name, each in of_type("AWS::Serverless::Function").items():
        for statement in statements(each):
            for action in statement["Action"]:
                if action.startswith(("route53-recovery-cluster:", "sts:GetWebIdentityToken")):
                    may.setdefault(name, set()).add(action)
                if action == "sts:GetWebIdentityToken":
                    assert statement["Condition"]["ForAllValues:StringEquals"] == {
                        "sts:IdentityTokenAudience": {"Ref": "OtherCloud"}
                    }
    look = {"route53-recovery-cluster:GetRoutingControlState", "sts:GetWebIdentityToken"}
    assert may == {
        "FlipDns": look | {"route53-recovery-cluster:UpdateRoutingControlStates"},
        "CheckReadiness": look,
        "Precheck": look,
        "PrecheckRestore": look,
    }


def test_only_the_step_that_switches_routes_may_move_a_listener_and_only_a_fleets_own() -> None:
    may = {
        name: statement
        for name, each in of_type("AWS::Serverless::Function").items()
        for statement in statements(each)
        if {"elasticloadbalancing:ModifyListener", "ecs:TagResource"} & set(statement["Action"])
    }
    assert set(may) == {"SwitchRoutes"}
    assert [
        (statement["Action"], re.findall(r"\$\{(\w+)\}", statement["Resource"]["Sub"])[-1])
        for statement in statements(of_type("AWS::Serverless::Function")["SwitchRoutes"])
        if statement in may.values() or "ecs:UpdateService" in statement["Action"]
    ] == [
        (["ecs:UpdateService", "ecs:TagResource"], "EcsServices"),
        (["elasticloadbalancing:ModifyListener"], "Listeners"),
    ]


def test_a_cluster_of_kubernetes_may_only_be_found_and_only_by_those_who_look_at_fleets() -> None:
    may = {
        name: statement
        for name, each in of_type("AWS::Serverless::Function").items()
        for statement in statements(each)
        if any(action.startswith("eks:") for action in statement["Action"])
    }
    looking = {
        name
        for name, each in of_type("AWS::Serverless::Function").items()
        if any("ecs:DescribeServices" in statement["Action"] for statement in statements(each))
    }
    assert set(may) == looking
    for statement in may.values():
        assert statement["Action"] == ["eks:DescribeCluster"]
        assert statement["Resource"]["Sub"].endswith(":cluster/${EksClusters}")
    assert all(f"{name}Role.Arn" in str(TEMPLATE["Outputs"]["FleetRoleArns"]) for name in looking)


def test_only_hooks_are_called_and_only_by_the_step_that_calls_them() -> None:
    may = {
        name: statement["Action"]
        for name, each in of_type("AWS::Serverless::Function").items()
        for statement in statements(each)
        if str(statement["Resource"]).endswith(":function:${Hooks}'}")
    }
    assert may == {"CallHooks": ["lambda:InvokeFunction"]}


def test_no_function_may_write_iam_or_deploy() -> None:
    for each in of_type("AWS::Serverless::Function").values():
        for statement in statements(each):
            for action in statement["Action"]:
                assert not action.startswith("cloudformation:")
                assert not action.startswith("lambda:") or action in (
                    "lambda:GetAccountSettings",
                    "lambda:InvokeFunction",
                )
                assert not action.startswith("sts:") or action in ("sts:GetWebIdentityToken", "sts:AssumeRole")
                assert not action.startswith("iam:") or action in ("iam:GetAccountSummary", "iam:PassRole")


def test_the_ledger_is_encrypted_kept_and_recoverable() -> None:
    table = RESOURCES["Ledger"]
    assert table["DeletionPolicy"] == "Retain"
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    condition, of_ones_own, otherwise = table["Properties"]["SSESpecification"]["If"]
    assert (condition, of_ones_own["KMSMasterKeyId"]) == ("KeyIsNamed", {"Ref": "KmsKeyArn"})
    assert otherwise == {"SSEEnabled": False}, "with DynamoDB's own key, which nobody can disable"


def test_a_dead_probe_is_no_vote_and_alarms_stand_on_ten_seconds() -> None:
    alarms = [a for a in of_type("AWS::CloudWatch::Alarm", ALARMS).values() if a["MetricName"] == "SiteHealthy"]
    assert len(alarms) == 4
    for alarm in alarms:
        assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (10, 3, 2)
        assert alarm["TreatMissingData"] == "missing"


def test_an_event_that_cannot_be_judged_is_not_lost() -> None:
    judge = of_type("AWS::Serverless::Function")["Judge"]
    assert judge["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    heard = [event for event in judge["Events"].values() if event["Type"] != "ScheduleV2"]
    assert heard and all("DeadLetterConfig" in event["Properties"] for event in heard)


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_every_substitution_of_a_state_machine_is_given_and_used(path: Path) -> None:
    kind = "AWS::Serverless::StateMachine"
    all_machines = [*of_type(kind).values(), *of_type(kind, SIGNALS).values()]
    machines = [machine for machine in all_machines if machine["DefinitionUri"].endswith(path.name)]
    assert machines
    for machine in machines:
        assert set(re.findall(r"\$\{(\w+)\}", path.read_text())) == set(machine["DefinitionSubstitutions"])


def test_the_other_vantage_point_looks_with_the_same_eyes_and_may_do_nothing_but_look_and_tell() -> None:
    watch = of_type("AWS::Serverless::Function", SIGNALS)["WatchSite"]
    own = of_type("AWS::Serverless::Function")["WatchSite"]
    assert watch["CodeUri"] == own["CodeUri"]
    assert set(own["Environment"]["Variables"]) <= set(watch["Environment"]["Variables"])
    actions = {action for statement in statements(watch) for action in statement["Action"]}
    assert actions == {"dynamodb:Query", "secretsmanager:GetSecretValue", "sts:AssumeRole", "events:PutEvents"}


def test_every_sighting_and_every_alarm_of_the_plan_reaches_the_judge() -> None:
    patterns = [
        each["Properties"]["Pattern"]
        for each in of_type("AWS::Serverless::Function")["Judge"]["Events"].values()
        if each["Type"] == "EventBridgeRule"
    ]
    assert {(pattern["source"][0], pattern["detail-type"][0]) for pattern in patterns} == {
        ("aws.cloudwatch", "CloudWatch Alarm State Change"),
        ("kafka.failover", "Site Sighting"),
        ("aws.health", "AWS Health Event"),
    }


def test_the_readiness_check_may_change_nothing_but_its_own_records() -> None:
    reads = {
        "secretsmanager:GetSecretValue",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        *KNOW_NO_RESOURCE,
        "eks:DescribeCluster",
        "route53:ListResourceRecordSets",
        "route53:GetHostedZone",
        "route53:GetHealthCheck",
        "route53:GetHealthCheckStatus",
        "s3:GetObject",
        "s3:GetBucketPolicy",
        "s3:GetLifecycleConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "route53-recovery-cluster:GetRoutingControlState",
        "states:DescribeExecution",
        "sts:GetWebIdentityToken",
        "sts:AssumeRole",
    }
    records = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "sns:Publish", "events:PutEvents"}
    records |= {"s3:PutObject", "kms:GenerateDataKey"}  # an object of its own in the rescue's bucket
    for statement in statements(of_type("AWS::Serverless::Function")["CheckReadiness"]):
        assert set(statement["Action"]) <= reads | records, statement


def test_nobody_looking_at_readiness_is_an_alarm_too() -> None:
    alarm = of_type("AWS::CloudWatch::Alarm", ALARMS)["ReadinessAlarm"]
    assert (alarm["TreatMissingData"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("breaching", 0, 3)
    assert {"Name": "service", "Value": "failover"} in alarm["Dimensions"]
    assert TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == "failover"


def test_a_dry_run_that_stops_again_and_again_hides_no_failover_that_does() -> None:
    alarm = of_type("AWS::CloudWatch::Alarm")["StoppedAlarm"]
    every_s = 60 * TEMPLATE["Parameters"]["DryRunMinutes"]["Default"]
    assert alarm["DatapointsToAlarm"] == 1 and alarm["Period"] * alarm["EvaluationPeriods"] < every_s


def test_every_alarm_is_told_and_its_topic_takes_it() -> None:
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == [{"Ref": "Notifications"}], name
    (topic,) = of_type("AWS::SNS::Topic").values()
    assert topic["KmsMasterKeyId"] == OWN_KEY, "AWS's own key for SNS lets no alarm publish"
    (key,) = of_type("AWS::KMS::Key", yaml_of(ROOT / "key.yaml")).values()
    services = [
        (each["Principal"]["Service"], each["Action"])
        for each in key["KeyPolicy"]["Statement"]
        if "Service" in each["Principal"]
    ]
    assert ("cloudwatch.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey*"]) in services


def test_a_vantage_point_that_is_silent_is_told_of_in_its_own_region() -> None:
    for template in (TEMPLATE, SIGNALS):
        alarms = of_type("AWS::CloudWatch::Alarm", template)
        for name, function in (("RoundsAlarm", "StartRounds"), ("WatchAlarm", "WatchSite")):
            alarm = alarms[name]
            assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
            assert (alarm["MetricName"], alarm["TreatMissingData"]) == ("Errors", "breaching"), "no call is no look"
            assert alarm["AlarmActions"] == [{"Ref": "Notifications"}]
    (topic,) = of_type("AWS::SNS::Topic", SIGNALS).values()
    assert topic["KmsMasterKeyId"] == OWN_KEY
    assert SIGNALS["Outputs"]["NotificationTopicArn"]["Value"] == {"Ref": "Notifications"}


def test_what_is_kept_is_encrypted_with_ones_own_key_if_there_is_one() -> None:
    for template in (TEMPLATE, SIGNALS):
        assert template["Parameters"]["KmsKeyArn"]["Default"] == ""
        groups = of_type("AWS::Logs::LogGroup", template)
        assert groups and all(group["KmsKeyId"] == OWN_KEY for group in groups.values())
    assert all(secret["KmsKeyId"] == OWN_KEY for secret in of_type("AWS::SecretsManager::Secret").values())


def test_every_way_in_which_an_execution_can_end_badly_is_an_alarm() -> None:
    for flow in ("Failover", "Switchover", "Restore", "Practice"):
        logical_id = f"{flow}StateMachine"
        machine = [{"Name": "StateMachineArn", "Value": {"Ref": logical_id}}]
        alarms = [alarm for alarm in of_type("AWS::CloudWatch::Alarm").values() if alarm["Dimensions"] == machine]
        metrics = {alarm["MetricName"] for alarm in alarms}
        assert metrics == {"ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"}


def test_no_event_of_the_bus_that_its_function_fails_is_lost_without_a_word() -> None:
    for name, function in of_type("AWS::Serverless::Function").items():
        rules = [each for each in function.get("Events", {}).values() if each["Type"] == "EventBridgeRule"]
        assert all("DeadLetterConfig" in rule["Properties"] for rule in rules), name
        assert not rules or "OnFailure" in function["EventInvokeConfig"]["DestinationConfig"], name


def test_no_concurrency_is_reserved_by_default_and_all_that_a_failover_needs_can_have_some() -> None:
    reserved: dict[str, set[str]] = {}
    for template in (TEMPLATE, SIGNALS):
        for each in of_type("AWS::Serverless::Function", template).values():
            if "ReservedConcurrentExecutions" in each:
                condition, given, otherwise = each["ReservedConcurrentExecutions"]["If"]
                parameter = given["Ref"]
                assert template["Parameters"][parameter]["Default"] == "" and condition in template["Conditions"]
                assert otherwise == {"Ref": "AWS::NoValue"}
                reserved.setdefault(parameter, set()).add(each["CodeUri"].removeprefix("functions/"))
    assert set(FUNCTIONS) - set().union(*reserved.values()) == {
        "sample_lag",
        "check_readiness",
        "sweep_ledger",
        "serve_operators",
        "deploy_plan",
        "write_report",
        "announce_start",
        "run_practice",
        "show_board",
    }
    assert reserved["WatchConcurrency"] == {"watch_site", "start_rounds"} and reserved["JudgeConcurrency"] == {"judge"}
    assert reserved["ApprovalConcurrency"] == {"answer_approval"}
    assert all("ReservedConcurrentExecutions" in w for w in of_type("AWS::Serverless::Function", SIGNALS).values())


def test_what_several_functions_may_do_is_said_once() -> None:
    managed = set(of_type("AWS::IAM::ManagedPolicy")) - {"LogsBoundary"}
    functions = of_type("AWS::Serverless::Function")
    used = {name: {p["Ref"] for p in each.get("Policies", []) if "Ref" in p} for name, each in functions.items()}
    assert set().union(*used.values()) == managed and len(managed) <= 12
    for policy in managed:
        assert sum(policy in each for each in used.values()) > 1, policy
    own = [
        json.dumps(statement, sort_keys=True)
        for each in functions.values()
        for policy in each.get("Policies", [])
        for statement in policy.get("Statement", [])
    ]
    assert max(map(own.count, own)) <= 3


def test_a_state_machine_may_deliver_its_logs_and_do_nothing_else_with_anybodys() -> None:
    for template in (TEMPLATE, SIGNALS):
        for name, machine in of_type("AWS::Serverless::StateMachine", template).items():
            for policy in machine["Policies"]:
                assert isinstance(policy, dict), f"{name}: {policy} is wider than what it does"
                for statement in policy.get("Statement", ()):
                    assert not any("*" in action for action in statement["Action"]), name


def test_nothing_but_what_a_deployer_named_is_reached_by_a_wildcard_over_executions() -> None:
    text = (ROOT / "template.yaml").read_text()
    for arn in re.findall(r"(?:execution|stateMachine):\S+", text):
        assert "${AWS::StackName}" in arn or "*" not in arn, arn
