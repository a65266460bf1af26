"""Whether stranded records could be rescued: a bucket that takes them, encrypts them, keeps them, and hides them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from failover.plan.rescue import Rescue
from failover.readiness import Finding, fail, listed, ok, warn
from failover.rescue.bucket import BucketState

_EXCEPT: Final = ("ArnNotEquals", "ArnNotLike", "StringNotEquals", "StringNotLike")
_READ: Final = frozenset({"*", "s3:*", "s3:Get*", "s3:GetObject", "s3:GetObject*"})


def bucket(rescue: Rescue, state: BucketState) -> Iterator[Finding]:
    """What S3 tells of it, against what the plan wants."""
    yield ok(f"{rescue.bucket} takes records")
    if state.key == rescue.key:
        yield ok(f"it encrypts them with {rescue.key}")
    else:
        yield fail(f"it encrypts with {state.key or 'no KMS key'}", f"let it encrypt with {rescue.key}")
    yield _retention(rescue, state.lifecycle)
    yield from _readers(rescue, state)


def recovery_topic(topic: str, topics: Mapping[str, set[str]], mirrors: set[str]) -> Iterator[Finding]:
    """Whether it is there, whichever site is active. `topics`: by site."""
    if topic in mirrors:
        yield fail(f"the recovery topic {topic} is a mirror", "take another one, that no link copies")
    for site, there in topics.items():
        if topic in there:
            yield ok(f"the recovery topic {topic} is on {site}")
        else:
            yield fail(f"there is no recovery topic {topic} on {site}", "create it on both clusters")


def _retention(rescue: Rescue, rules: list[dict[str, Any]]) -> Finding:
    days = [
        int(rule["Expiration"]["Days"])
        for rule in rules
        if rule["Status"] == "Enabled" and _covers(rule, rescue.prefix) and "Days" in rule.get("Expiration", {})
    ]
    if not days:
        remedy = f"give {rescue.bucket} a lifecycle rule for {rescue.prefix}/, as rescue.yaml has it"
        return warn(f"nothing deletes rescued records after {rescue.retention_days} days", remedy)
    if min(days) < rescue.retention_days:
        remedy = f"let no lifecycle rule expire {rescue.prefix}/ earlier"
        return fail(f"rescued records are deleted after {min(days)} days, not {rescue.retention_days}", remedy)
    return ok(f"they are kept for {min(days)} days")


def _covers(rule: Mapping[str, Any], prefix: str) -> bool:
    """Whether a rule is of some of the keys, too; one by tag or size may be of any."""
    where = rule.get("Filter", {})
    covered = str(where.get("Prefix", where.get("And", {}).get("Prefix", rule.get("Prefix", ""))))
    return f"{prefix}/".startswith(covered) or covered.startswith(f"{prefix}/")


def _readers(rescue: Rescue, state: BucketState) -> Iterator[Finding]:
    if not state.public_access_blocked:
        yield fail(f"{rescue.bucket} does not block public access", "block all four kinds of it")
    allowed = [readers for statement in _statements(state.policy) if (readers := _denies_all_but(rescue, statement))]
    if not allowed:
        yield fail(
            f"the policy of {rescue.bucket} denies reading to nobody",
            "deny s3:GetObject to everybody but the plan's readers, as rescue.yaml does",
        )
        return
    readers = frozenset.intersection(*allowed)
    if others := readers - set(rescue.readers):
        yield fail(f"others than the plan's readers may read: {listed(others)}", "take them out of the bucket's policy")
    elif missing := set(rescue.readers) - readers:
        yield warn(f"readers of the plan that the bucket denies: {listed(missing)}", "put them in the bucket's policy")
    else:
        yield ok(f"nobody but {listed(readers)} may read them")


def _statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    statements = policy.get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)


def _denies_all_but(rescue: Rescue, statement: Mapping[str, Any]) -> frozenset[str]:
    """Whom a statement that denies reading to everybody leaves out; empty for any other statement."""
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    actions, resources = _several(statement.get("Action")), _several(statement.get("Resource"))
    objects = f"arn:aws:s3:::{rescue.bucket}/"
    covers = {f"{objects}*", f"{objects}{rescue.prefix}/*", "*"}
    anywhere = any(resource.replace("arn:aws-cn:", "arn:aws:") in covers for resource in resources)
    conditions = statement.get("Condition", {})
    if statement.get("Effect") != "Deny" or not everybody or not anywhere or not _READ & set(actions):
        return frozenset()
    if len(conditions) != 1:
        return frozenset()
    operator, condition = next(iter(conditions.items()))
    names = {name.lower(): value for name, value in condition.items()}
    if operator not in _EXCEPT or set(names) != {"aws:principalarn"}:
        return frozenset()
    return frozenset(_several(names["aws:principalarn"]))


def _several(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
