"""Before there is anything to rescue: the bucket takes records, encrypts them, keeps them, and hides them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.errors import ServiceRejected
from failover.plan.rescue import Rescue
from failover.readiness import Check, check
from failover.readiness.rescue import bucket as judged
from failover.readiness.rescue import recovery_topic
from failover.rescue.bucket import BucketState, look_at_bucket
from tests.deployment.templates import Loader
from tests.rescue.conftest import BUCKET, KEY, RESCUE, Bucket

READERS = ["arn:aws:iam::123456789012:role/failover-*", "arn:aws:iam::123456789012:role/kafka-operators"]
RESCUE_PLAN = Rescue.model_validate_json(json.dumps(RESCUE | {"readers": READERS}))
POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": READERS}},
        }
    ],
}
LIFECYCLE = [{"Status": "Enabled", "Filter": {"Prefix": "rescue/"}, "Expiration": {"Days": 400}}]
AS_IT_SHOULD_BE = BucketState(key=KEY, policy=POLICY, lifecycle=LIFECYCLE, public_access_blocked=True)


def result(state: BucketState) -> Check:
    return check("rescue", judged(RESCUE_PLAN, state))


def policy_with(**changes: Any) -> dict[str, Any]:
    return {"Statement": [POLICY["Statement"][0] | changes]}


def test_a_bucket_as_it_should_be_passes() -> None:
    assert result(AS_IT_SHOULD_BE).status == "pass"


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"key": "aws/s3"}, "fail", "encrypts with aws/s3"),
        ({"key": ""}, "fail", "encrypts with no KMS key"),
        ({"lifecycle": []}, "warn", "nothing deletes"),
        ({"lifecycle": [LIFECYCLE[0] | {"Expiration": {"Days": 399}}]}, "fail", "after 399 days"),
        ({"lifecycle": [LIFECYCLE[0], {"Status": "Enabled", "Expiration": {"Days": 1}}]}, "fail", "after 1 days"),
        ({"lifecycle": [LIFECYCLE[0] | {"Status": "Disabled"}]}, "warn", "nothing deletes"),
        ({"lifecycle": [LIFECYCLE[0] | {"Filter": {"Prefix": "other/"}}]}, "warn", "nothing deletes"),
        ({"public_access_blocked": False}, "fail", "public access"),
        ({"policy": {}}, "fail", "denies reading to nobody"),
        ({"policy": policy_with(Effect="Allow")}, "fail", "denies reading to nobody"),
        ({"policy": policy_with(Action="s3:PutObject")}, "fail", "denies reading to nobody"),
        ({"policy": policy_with(Resource=f"arn:aws:s3:::{BUCKET}/other/*")}, "fail", "denies reading to nobody"),
        ({"policy": policy_with(Principal={"AWS": "123456789012"})}, "fail", "denies reading to nobody"),
        (
            {
                "policy": policy_with(
                    Condition={"ArnNotLike": {"aws:PrincipalArn": [*READERS, "arn:aws:iam::1:role/x"]}}
                )
            },
            "fail",
            "role/x",
        ),
        ({"policy": policy_with(Condition={"ArnNotLike": {"aws:PrincipalArn": READERS[:1]}})}, "warn", "operators"),
        (
            {"policy": policy_with(Condition={"ArnNotLike": {"aws:PrincipalArn": READERS}, "Bool": {"x": "y"}})},
            "fail",
            "denies reading to nobody",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_named(changes: dict[str, Any], status: str, why: str) -> None:
    found = result(replace(AS_IT_SHOULD_BE, **changes))
    assert found.status == status
    assert why in found.evidence[0]


@pytest.mark.parametrize(
    ("topics", "mirrors", "status"),
    [
        ({"east": {"recovery"}, "west": {"recovery"}}, set(), "pass"),
        ({"east": {"recovery"}, "west": set()}, set(), "fail"),
        ({"east": {"recovery"}, "west": {"recovery"}}, {"recovery"}, "fail"),
    ],
)
def test_the_recovery_topic_is_on_both_clusters_and_no_mirror(
    topics: dict[str, set[str]], mirrors: set[str], status: str
) -> None:
    assert check("rescue", recovery_topic("recovery", topics, mirrors)).status == status


def test_the_bucket_of_the_template_passes() -> None:
    path = Path(__file__).resolve().parents[2] / "rescue.yaml"
    resources = yaml.load(path.read_text(), Loader=Loader)["Resources"]
    (rule,) = resources["Records"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["Prefix"] == {"Sub": "${Prefix}/"} and rule["ExpirationInDays"] == {"Ref": "RetentionDays"}
    statement = resources["Readers"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert statement["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": {"Ref": "ReaderArns"}}}
    filled = statement | {"Resource": f"arn:aws:s3:::{BUCKET}/*"}
    filled["Condition"] = {"ArnNotLike": {"aws:PrincipalArn": READERS}}
    blocked = resources["Records"]["Properties"]["PublicAccessBlockConfiguration"]
    state = replace(AS_IT_SHOULD_BE, policy={"Statement": [filled]}, public_access_blocked=all(blocked.values()))
    assert result(state).status == "pass"


def test_the_bucket_is_looked_at_by_writing_to_it(bucket: Bucket) -> None:
    bare = look_at_bucket(RESCUE_PLAN, "orders")
    assert bare == BucketState(key=KEY, policy={}, lifecycle=[], public_access_blocked=False)
    bucket.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(POLICY))
    rules = [{"ID": "retention", **LIFECYCLE[0]}]
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    every = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    bucket.s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(every, True))
    assert result(look_at_bucket(RESCUE_PLAN, "orders")).status == "pass"
    assert bucket.keys("readiness") == ["rescue/orders/readiness"]


def test_a_bucket_that_is_not_there_is_refused(deployed: Callable[..., Any]) -> None:
    with pytest.raises(ServiceRejected, match="NoSuchBucket"):
        look_at_bucket(RESCUE_PLAN, "orders")
