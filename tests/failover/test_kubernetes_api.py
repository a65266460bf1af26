"""What an API server says is told apart: nobody answered, ask again, never; and what is no object is none."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import eks, is_busy, kubernetes
from failover.fleets.kubernetes import LARGEST_ANSWER, EksApi, PatchRefused
from failover.plan.fleets import Eks

Answer = Callable[[httpx.Request], httpx.Response]
ApiOf = Callable[[Answer], EksApi]
DEPLOYMENTS = "apis/apps/v1 deployments"


@pytest.fixture
def api_of(monkeypatch: pytest.MonkeyPatch) -> ApiOf:
    """The API of a cluster that answers so."""
    monkeypatch.setattr(kubernetes, "token", lambda *_: "a-token")

    def make(answer: Answer) -> EksApi:
        api = EksApi(Eks(name="clients"), "us-east-2", "kafka")
        api.__dict__["_http"] = httpx.Client(base_url="https://api", transport=httpx.MockTransport(answer))
        return api

    return make


def status(message: str, *causes: str) -> dict[str, Any]:
    return {"message": message, "details": {"causes": [{"message": cause} for cause in causes]}}


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_has_answered_and_is_asked_again(api_of: ApiOf, code: int) -> None:
    api = api_of(lambda _: httpx.Response(code, json=status("not now")))
    with pytest.raises(FleetUnavailable, match=f"in us-east-2 answered {code} to GET .*/gw: not now$") as raised:
        api.get(DEPLOYMENTS, "gw")
    assert is_busy(raised.value)


@pytest.mark.parametrize("code", [400, 403, 404, 405, 410, 501])
def test_another_refusal_is_final_and_says_nothing_of_access(api_of: ApiOf, code: int) -> None:
    with pytest.raises(FleetRejected, match=r": no$"):
        api_of(lambda _: httpx.Response(code, json=status("no"))).get(DEPLOYMENTS, "gw")


def test_who_is_not_known_there_needs_an_access_entry(api_of: ApiOf) -> None:
    with pytest.raises(FleetRejected, match="Unauthorized; the cluster needs an access entry"):
        api_of(lambda _: httpx.Response(401, json=status("Unauthorized"))).get(DEPLOYMENTS, "gw")


def test_a_patch_that_can_not_be_made_is_told_with_every_cause(api_of: ApiOf) -> None:
    with pytest.raises(PatchRefused, match=r"no such path; a; b$"):
        api_of(lambda _: httpx.Response(422, json=status("no such path", "a", "b"))).patch(DEPLOYMENTS, "gw", [])


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (b"gateway " * 40, repr((b"gateway " * 40)[:200])),
        (b"{}", "b'{}'"),
        (b"null", "b'null'"),
        (b"[1]", r"b'\[1\]'"),
        (b'{"message": "x", "details": {"causes": 3}}', ".*causes.*"),
    ],
)
def test_what_is_no_status_is_quoted_from_its_beginning(api_of: ApiOf, body: bytes, quoted: str) -> None:
    with pytest.raises(FleetUnavailable, match=f"to GET /apis/apps/v1/namespaces/kafka/deployments/gw: {quoted}$"):
        api_of(lambda _: httpx.Response(503, content=body)).get(DEPLOYMENTS, "gw")


def test_who_does_not_answer_is_out_of_reach_and_not_busy(api_of: ApiOf) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("", request=request)

    with pytest.raises(FleetUnavailable, match=r"did not answer GET .*: ConnectTimeout") as raised:
        api_of(silent).get(DEPLOYMENTS, "gw")
    assert not is_busy(raised.value)
    assert api_of(silent).ask_pod("gw-0", 9190, "metrics") == (0, b"")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"3"])
def test_a_body_that_is_no_object_is_asked_for_again(api_of: ApiOf, body: bytes) -> None:
    with pytest.raises(FleetUnavailable, match="answered something that is no object") as raised:
        api_of(lambda _: httpx.Response(200, content=body)).get(DEPLOYMENTS, "gw")
    assert is_busy(raised.value)


def test_of_a_long_body_that_is_no_object_the_beginning_is_quoted(api_of: ApiOf) -> None:
    with pytest.raises(FleetUnavailable, match=r"no object: 'x{100}'$"):
        api_of(lambda _: httpx.Response(200, content=b"x" * 300)).get(DEPLOYMENTS, "gw")


def test_what_is_gone_is_none_and_need_not_be_deleted(api_of: ApiOf) -> None:
    api = api_of(lambda _: httpx.Response(404, json=status("not found")))
    assert api.get_if_there(DEPLOYMENTS, "gw") is None
    api.delete("api/v1 pods", "gw-0")
    there = api_of(lambda _: httpx.Response(200, json={"kind": "Deployment"}))
    assert there.get_if_there(DEPLOYMENTS, "gw") == {"kind": "Deployment"}
    with pytest.raises(FleetRejected):
        api_of(lambda _: httpx.Response(403, json=status("no"))).delete("api/v1 pods", "gw-0")


@pytest.mark.parametrize(("answer", "found"), [({"items": [{"a": 1}]}, [{"a": 1}]), ({"items": None}, []), ({}, [])])
def test_objects_are_found_by_all_their_labels(api_of: ApiOf, answer: Any, found: list[Any]) -> None:
    requests: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=answer)

    assert api_of(take).find("api/v1 pods", {"app": "gw", "tier": "edge"}) == found
    assert requests[0].url.params["labelSelector"] == "app=gw,tier=edge"
    assert requests[0].url.path == "/api/v1/namespaces/kafka/pods"


@pytest.mark.parametrize(("dry_run", "said"), [(True, "All"), (False, None)])
def test_a_patch_is_stored_unless_it_is_a_dry_run(api_of: ApiOf, dry_run: bool, said: str | None) -> None:
    operation = {"op": "replace", "path": "/spec/replicas", "value": 0}

    def take(request: httpx.Request) -> httpx.Response:
        assert request.headers["Content-Type"] == "application/json-patch+json"
        assert request.headers["Authorization"] == "Bearer a-token"
        assert json.loads(request.content) == [operation]
        return httpx.Response(200, json={"dryRun": request.url.params.get("dryRun")})

    assert api_of(take).patch(DEPLOYMENTS, "gw", [operation], dry_run=dry_run) == {"dryRun": said}
    if not dry_run:
        assert api_of(take).patch(DEPLOYMENTS, "gw", [operation]) == {"dryRun": said}


@pytest.mark.parametrize(("size", "told"), [(LARGEST_ANSWER, True), (LARGEST_ANSWER + 1, False)])
def test_a_pod_that_says_more_than_is_sane_says_nothing(api_of: ApiOf, size: int, told: bool) -> None:
    api = api_of(lambda _: httpx.Response(200, content=b"x" * size))
    assert api.ask_pod("gw-0", 9190, "metrics") == ((200, b"x" * size) if told else (0, b""))


def test_a_pod_speaks_for_itself_and_who_may_not_ask_it_hears_so(api_of: ApiOf) -> None:
    moved = api_of(lambda _: httpx.Response(302, headers={"Location": "https://elsewhere"}))
    assert moved.ask_pod("gw-0", 9190, "config")[0] == 302
    with pytest.raises(FleetRejected, match=r"answered 403 to GET .*/pods/gw-0:9190/proxy/config: not you"):
        api_of(lambda _: httpx.Response(403, json=status("not you"))).ask_pod("gw-0", 9190, "config")


PEM = "-----BEGIN CERTIFICATE-----"


def described(monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any]) -> list[str]:
    """The names that EKS is asked for; it answers with this cluster."""
    names: list[str] = []

    class Client:
        def describe_cluster(self, *, name: str) -> dict[str, Any]:
            names.append(name)
            return {"cluster": cluster}

    monkeypatch.setattr(eks, "client", lambda *_, **__: Client())
    return names


def test_a_cluster_is_where_the_plan_says_and_eks_is_asked_only_where_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = base64.b64encode(PEM.encode()).decode()
    names = described(monkeypatch, {"endpoint": "https://by-eks", "certificateAuthority": {"data": authority}})
    known = Eks(name="in-the-plan", endpoint="https://by-plan", certificate_authority=authority)
    assert eks.api_server(known, "us-east-2") == eks.ApiServer("https://by-plan", PEM)
    assert names == []
    assert eks.api_server(Eks(name="by-name"), "us-east-2") == eks.ApiServer("https://by-eks", PEM)
    assert names == ["by-name"]


def test_a_cluster_that_is_being_made_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    described(monkeypatch, {"status": "CREATING"})
    with pytest.raises(FleetUnavailable, match="EKS cluster being-made in us-east-2 has no endpoint yet"):
        eks.api_server(Eks(name="being-made"), "us-east-2")


@pytest.mark.parametrize(
    "authority",
    ["no base64!", f"{base64.b64encode(PEM.encode()).decode()}!", base64.b64encode(b"\xff\xfe").decode()],
)
def test_an_authority_that_is_no_text_is_told_and_stays_so(authority: str) -> None:
    cluster = Eks(name=f"rubbish-{len(authority)}", endpoint="https://by-plan", certificate_authority=authority)
    with pytest.raises(FleetRejected, match="must be base64 of a PEM text"):
        eks.api_server(cluster, "us-east-2")


def test_an_authority_that_is_no_certificate_is_told() -> None:
    with pytest.raises(FleetRejected, match="the certificate authority for https://by-plan can't be read"):
        eks.trust(eks.ApiServer("https://by-plan", f"{PEM}\nno\n-----END CERTIFICATE-----\n"))
