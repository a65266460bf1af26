"""An execution goes on under the version that it began with: steps are published, kept, and called by their version."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.deployment.templates import RESOURCES, TEMPLATE, of_type
from tests.deployment.test_rights import STATE_MACHINES
from tests.deployment.test_sam import ENVIRONMENT, ROOT, SAM

MACHINES = ("FailoverStateMachine", "SwitchoverStateMachine", "RestoreStateMachine", "PracticeStateMachine")
TRANSLATE = """
import json, sys
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

class NoPolicies:
    def load(self):
        return {}

translated = {}
for variant, (logical_id, name) in json.loads(sys.argv[2]).items():
    document = yaml_parse(open(sys.argv[1]).read())
    for resource in document["Resources"].values():
        for given in {"CodeUri", "ContentUri", "DefinitionUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][given] = "s3://artefacts/before"
    if logical_id:
        document["Resources"][logical_id]["Properties"][name] = "s3://artefacts/after"
    translated[variant] = transform(document, {}, NoPolicies())["Resources"]
print(json.dumps(translated))
"""
VARIANTS = {
    "before": ("", ""),
    "again": ("", ""),
    "layer": ("FailoverLayer", "ContentUri"),
    "dependencies": ("DependenciesLayer", "ContentUri"),
    "step": ("Claim", "CodeUri"),
}
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def translated() -> dict[str, Resources]:
    """What AWS's translator makes of the template, as it is and with something changed."""
    if not SAM.exists():
        pytest.skip("AWS's translator is in the SAM CLI's environment, made by `make test`")
    template = str(ROOT / "template.yaml")
    command = [str(SAM.with_name("python")), "-c", TRANSLATE, template, json.dumps(VARIANTS)]
    answer = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    variants: dict[str, Resources] = json.loads(answer.stdout)
    return variants


def called(resources: Resources) -> dict[str, str]:
    """The version of each step that the state machines call, by the substitution in their definitions."""
    return {
        name: value["Ref"]
        for machine in MACHINES
        for name, value in resources[machine]["Properties"]["DefinitionSubstitutions"].items()
        if name.endswith("Function")
    }


@pytest.mark.slow
def test_state_machines_call_published_versions_that_stay(translated: dict[str, Resources]) -> None:
    resources = translated["before"]
    for name, version in called(resources).items():
        published = resources[version]
        assert published["Type"] == "AWS::Lambda::Version", name
        assert (published["DeletionPolicy"], published["UpdateReplacePolicy"]) == ("Retain", "Retain"), name
    assert len(resources) <= 500, "CloudFormation takes no more in a stack"


@pytest.mark.slow
def test_what_changed_is_published_and_nothing_else(translated: dict[str, Resources]) -> None:
    before = called(translated["before"])
    changed = {
        variant: {name for name, version in called(resources).items() if version != before[name]}
        for variant, resources in translated.items()
    }
    assert changed == {
        "before": set(),
        "again": set(),
        "layer": before.keys(),
        "dependencies": before.keys(),
        "step": {"ClaimFunction"},
    }


def _refs(node: Any) -> set[str]:
    """The parameters that a part of the template refers to, by conditions as well."""
    if isinstance(node, list):
        return set().union(*map(_refs, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(_refs, node.values()))
    if "If" in node:
        found |= _refs(TEMPLATE["Conditions"][node["If"][0]])
    names = [node.get("Ref", ""), node.get("Condition", ""), *str(node.get("Sub", "")).replace("}", "${").split("${")]
    for name in names:
        if isinstance(name, str) and name in TEMPLATE["Parameters"]:
            found.add(name)
        elif isinstance(name, str) and name in TEMPLATE["Conditions"]:
            found |= _refs(TEMPLATE["Conditions"][name])
    return found


def test_settings_that_are_parameters_are_published_too_and_no_others() -> None:
    """The translator does not look at parameters' values: the versions' description has them, and is replaced. One that
    is no setting of a step would have CloudFormation publish what did not change, which it refuses."""
    of_roles = {"PermissionsBoundary"}
    settings = {name: value for name, value in TEMPLATE["Globals"]["Function"].items() if name not in of_roles}
    assert _refs(RESOURCES["Settings"]["Properties"]["Value"]) == _refs(settings)


def test_every_step_is_published_with_its_settings() -> None:
    machines = of_type(STATE_MACHINES)
    steps = {
        value["Ref"].removesuffix(".Version")
        for machine in MACHINES
        for name, value in machines[machine]["DefinitionSubstitutions"].items()
        if name.endswith("Function")
    }
    assert steps == {name for name, each in RESOURCES.items() if "AutoPublishAlias" in each.get("Properties", {})}
    for name in steps:
        settings = RESOURCES[name]["Properties"]["VersionDescription"]
        assert "Settings.Value" in str(settings), name
        own = _refs(RESOURCES[name]["Properties"].get("Environment"))
        assert own <= _refs(settings), f"{name} has settings of its own that are not published"
