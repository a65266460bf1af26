from __future__ import annotations

from typing import Any

import pytest

from drill.aws.intrinsics import Intrinsics, TemplateError, parameter_values, read_yaml
from drill.aws.serverless import substituted
from drill.aws.template import merged

from .conftest import Aws

TEMPLATE = """
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsBig: !And [!Condition IsProd, !Not [!Equals [!Ref Size, "1"]]]
  Either: !Or [!Condition IsProd, !Condition IsBig]
Mappings:
  Sizes: {us-west-2: {small: 1, big: 2}}
"""


def resolved(text: str, **values: Any) -> Any:
    given = {"Stage": "prod", "Size": 1, "AWS::Region": "us-west-2", "Zones": ["a", "b"], **values}
    intrinsics = Intrinsics(
        read_yaml(TEMPLATE), given, lambda logical_id: f"ref-{logical_id}", lambda *name: "-".join(("att", *name))
    )
    return intrinsics.resolve(read_yaml(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Stage", "prod"),
        ("!Ref Table", "ref-Table"),
        ("!GetAtt Table.Arn", "att-Table-Arn"),
        ("!GetAtt [Table, Arn]", "att-Table-Arn"),
        ('!Sub "${Stage}-${Table}-${Table.Arn}-${!literal}"', "prod-ref-Table-att-Table-Arn-${literal}"),
        ('!Sub ["${own}-${Stage}", {own: !Ref Size}]', "1-prod"),
        ("!Join [':', [a, !Ref Size]]", "a:1"),
        ("!Join ['', !Ref Zones]", "ab"),
        ("!Select [1, !Split [',', 'x,y']]", "y"),
        ("!If [IsProd, 1, 2]", 1),
        ("!If [IsBig, 1, 2]", 2),
        ("!If [Either, 1, 2]", 1),
        ("{a: !If [IsBig, 1, !Ref AWS::NoValue], b: 1}", {"b": 1}),
        ("[1, !Ref AWS::NoValue]", [1]),
        ("!FindInMap [Sizes, !Ref AWS::Region, big]", 2),
        ("{Fn::Sub: '${Stage}'}", "prod"),
        ("{Condition: {StringEquals: {a: b}}}", {"Condition": {"StringEquals": {"a": "b"}}}),
        ("Version: 2012-10-17", {"Version": "2012-10-17"}),
    ],
)
def test_an_intrinsic_is_resolved(text: str, value: Any) -> None:
    assert resolved(text) == value


@pytest.mark.parametrize("text", ["!Transform x", "!If [Absent, 1, 2]", "!FindInMap [Sizes, nowhere, big]"])
def test_what_can_not_be_resolved_is_an_error(text: str) -> None:
    with pytest.raises(TemplateError):
        resolved(text)


DECLARED = {
    "Name": {"Type": "String", "AllowedPattern": "^[a-z]+$"},
    "Size": {"Type": "Number", "Default": 3},
    "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
    "Stage": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "prod"]},
}


def test_parameters_have_their_types() -> None:
    values = parameter_values(DECLARED, {"Name": "orders", "Size": "5"})
    assert values == {"Name": "orders", "Size": 5, "Zones": ["a", "b"], "Stage": "dev"}


@pytest.mark.parametrize(
    "given", [{}, {"Name": "Orders"}, {"Name": "a", "Stage": "test"}, {"Name": "a", "Other": 1}], ids=repr
)
def test_parameters_that_aws_refuses_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TemplateError):
        parameter_values(DECLARED, given)


def test_globals_are_merged_as_sam_merges_them() -> None:
    general = {"Timeout": 1, "Layers": ["a"], "Environment": {"Variables": {"A": 1, "B": 1}}}
    own = {"Timeout": 2, "Layers": ["b"], "Environment": {"Variables": {"B": 2}}, "Handler": "h"}
    assert merged(general, own) == {
        "Timeout": 2,
        "Layers": ["a", "b"],
        "Environment": {"Variables": {"A": 1, "B": 2}},
        "Handler": "h",
    }


def test_substitutions_are_made_in_the_text() -> None:
    assert substituted("M", '{"a": "{% ${N} %}"}', {"N": 3}) == '{"a": "{% 3 %}"}'


@pytest.mark.parametrize("given", [{}, {"N": 1, "Unused": 1}], ids=repr)
def test_substitutions_that_do_not_fit_are_an_error(given: dict[str, Any]) -> None:
    with pytest.raises(TemplateError):
        substituted("M", "${N}", given)


def test_the_stack_is_there(aws: Aws) -> None:
    ready = aws.child.ready
    assert ready["outputs"] == {"Joined": "orders-b", "Role": "arn:aws:iam::123456789012:role/test-Role"}
    assert ready["ignored"] == {"AWS::IAM::Role": ["Role"]}
    assert "NotThere" not in ready["resources"]
    assert ready["resources"]["Step"]["arn"] == "arn:aws:lambda:us-west-2:123456789012:function:test-Step"
    functions = {each["FunctionName"] for each in aws.client("lambda").list_functions()["Functions"]}
    assert functions == {"test-Step", "test-Moved", "test-Broken", "test-Furnished"}
    execution = aws.start(ready["resources"]["Machine"]["ref"])
    assert aws.ended(execution)["output"] == '{"answer":42}'
