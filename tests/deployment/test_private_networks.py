"""The functions may stand in a private network."""

from __future__ import annotations

from tests.deployment.templates import ROOT, SIGNALS, TEMPLATE, of_type


def test_every_function_is_in_a_vpc_if_one_is_named_and_else_in_none() -> None:
    own, everywhere = "AWS::Serverless::Function", TEMPLATE["Globals"]["Function"]
    functions = [everywhere, *of_type(own, SIGNALS).values()]
    assert not any("VpcConfig" in function for function in of_type(own).values()), "what is said for all is enough"
    for function in functions:
        condition, network, otherwise = function["VpcConfig"]["If"]
        assert (condition, otherwise) == ("InVpc", {"Ref": "AWS::NoValue"})
        assert network == {name: {"Ref": name} for name in ("SubnetIds", "SecurityGroupIds")}
    for template in (TEMPLATE, SIGNALS):
        assert all(template["Parameters"][name]["Default"] == "" for name in ("SubnetIds", "SecurityGroupIds"))
        assert "InVpc" in template["Conditions"]
    names = sorted(path.name for path in ROOT.glob("*.yaml") if "AWS::Serverless::Function" in path.read_text())
    assert names == ["signals.yaml", "template.yaml"]
