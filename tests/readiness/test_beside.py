"""What stands beside the topics: seen where the plan names it, unknown where it does not, never taken for well."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from failover.beside.schema_registry import schema_identities
from failover.link import Mirror, PartitionLag
from failover.readiness import Check, beside, check
from failover.readiness.roles import roles_of

GUID = "cc0e0e0e-53c1-4a1a-8f1a-000000000001"
NOT_FOUND = {"error_code": 40403, "message": "Schema not found"}
NO_EXPORTER = {"error_code": 40450, "message": "Exporter not found"}
CRN = "crn://confluent.cloud/organization=o/environment=e/cloud-cluster="


class Apis:
    """Both sites' APIs, as the vendor documents them, behind httpx."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.mode = {"east": "READWRITE", "west": "READWRITE"}
        self.exporter: dict[str, Any] | None = {"name": "out", "state": "RUNNING", "offset": 9, "ts": 1_795_000_000_000}
        self.subjects = {site: ["orders-value", "orders-key"] for site in ("east", "west")}
        self.schemas = {site: {"7": '"string"', GUID: '"long"'} for site in ("east", "west")}
        self.connectors = {site: {"sink": ("RUNNING", ["RUNNING", "RUNNING"])} for site in ("east", "west")}
        self.connectors["west"] = {"sink": ("STOPPED", [])}
        self.bindings = {site: [("User:sa-1", "DeveloperRead", "/kafka={}/topic=orders")] for site in ("east", "west")}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        site, path = request.url.host.split(".")[0], request.url.path
        if site in self.lost:
            raise httpx.ConnectTimeout("no answer", request=request)
        if path == "/iam/v2/role-bindings":
            cluster = request.url.params.get("crn_pattern", "").removeprefix(CRN).removesuffix("/*")
            return self._page(request, {"lkc-east01": "east", "lkc-west01": "west"}[cluster or "lkc-west01"], cluster)
        if path == "/connectors":
            assert request.url.params["expand"] == "status"
            return httpx.Response(200, json={name: _status(name, *row) for name, row in self.connectors[site].items()})
        if path.startswith("/exporters/"):
            return httpx.Response(200 if self.exporter else 404, json=self.exporter or NO_EXPORTER)
        if path.startswith("/schemas/"):
            schema = self.schemas[site].get(path.rpartition("/")[2])
            return httpx.Response(200, json={"schema": schema}) if schema else httpx.Response(404, json=NOT_FOUND)
        return httpx.Response(200, json={"mode": self.mode[site]} if path == "/mode" else self.subjects[site])

    def _page(self, request: httpx.Request, site: str, cluster: str) -> httpx.Response:
        rows = [
            {"principal": principal, "role_name": role, "crn_pattern": f"{CRN}{cluster}{what.format(cluster)}"}
            for principal, role, what in self.bindings[site]
        ]
        page = int(request.url.params.get("page_token", "0"))
        more = page + 1 < len(rows)
        return httpx.Response(
            200,
            json={
                "data": rows[page : page + 1],
                "metadata": {"next": str(request.url.copy_merge_params({"page_token": page + 1})) if more else None},
            },
        )


def _status(name: str, state: str, tasks: list[str]) -> dict[str, Any]:
    rows = [{"id": number, "state": task, "worker_id": "w:8083"} for number, task in enumerate(tasks)]
    return {"status": {"name": name, "connector": {"state": state, "worker_id": "w:8083"}, "tasks": rows}}


@pytest.fixture
def apis(monkeypatch: pytest.MonkeyPatch) -> Iterator[Apis]:
    apis, client = Apis(), httpx.Client
    monkeypatch.setattr(
        httpx, "Client", lambda **settings: client(**settings | {"transport": httpx.MockTransport(apis)})
    )
    yield apis


def record(key: bytes | None, value: bytes | None, headers: Any = None) -> Any:
    return SimpleNamespace(key=lambda: key, value=lambda: value, headers=lambda: headers)


FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "schemas": ("schema_registry", {"exporter": "out"}),
    "connectors": ("connect", {"connectors": ["sink"]}),
    "role_bindings": ("role_bindings", {}),
}
RECORDS = {
    ("orders", 0): record(b"\x00\x00\x00\x00\x07key", b"\x00\x00\x00\x00\x63 no schema at all"),
    ("orders", 1): record(None, b"{}", [("__value_schema_id", b"\x01" + bytes.fromhex(GUID.replace("-", "")))]),
}


@pytest.fixture
def look(plan: Any, apis: Apis, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Check]:
    """A check of that name, of the example plan with parts of its sites' APIs."""
    monkeypatch.setattr(beside, "as_controller", lambda plan, site, ask: RECORDS if site == "west" else {})

    def look(name: str, unused: tuple[str, ...] = (), without: tuple[str, ...] = (), **parts: Any) -> Check:
        sites = plan().model_dump(mode="json")["sites"]
        field, more = FIELDS[name]
        for site, described in sites.items():
            if site not in without:
                api = {"url": f"https://{site}.beside.example.com", **copy.deepcopy(more), **parts}
                api |= {"crn": f"{CRN}lkc-{site}01"} if name == "role_bindings" else {}
                described[field] = api
        of = plan(sites=sites, unused=list(unused))
        mirrors = [Mirror(topic="orders", status="ACTIVE", lags=(PartitionLag(0, 0), PartitionLag(1, 0)))]
        snapshot: Any = SimpleNamespace(plan=of, active="east", standby="west", mirrors=lambda: mirrors)
        return check(name, getattr(beside, name)(snapshot))

    return look


@pytest.mark.parametrize("name", ["schemas", "connectors", "role_bindings"])
def test_what_is_named_on_neither_side_is_unknown_unless_clients_do_without(look: Any, name: str) -> None:
    unused = {"schemas": "schema-registry"}.get(name, name.replace("_", "-"))
    assert look(name, without=("east", "west")).status == "unknown"
    assert look(name, without=("east",)).status == "unknown"
    assert look(name, without=("east", "west"), unused=(unused,)).status == "pass"
    assert look(name, unused=(unused,)).status == "warn", "it is named, and said to be unused"


def test_a_registry_that_follows_and_has_what_records_name_is_well(look: Any) -> None:
    seen = look("schemas")
    assert seen.status == "pass", seen.evidence
    assert "2 schemas that last records use are on the standby" in seen.evidence
    assert "2 last records of 2 partitions were looked at" in seen.evidence


@pytest.mark.parametrize(
    ("state", "trace", "status"),
    [("PAUSED", "", "fail"), ("STARTING", "", "warn"), ("RUNNING", "denied", "warn"), ("ERROR", "denied", "fail")],
)
def test_an_exporter_that_does_not_run_is_told_with_its_error(
    look: Any, apis: Apis, state: str, trace: str, status: str
) -> None:
    apis.exporter = {"name": "out", "state": state, "offset": 9, "ts": 0, "trace": trace}
    seen = look("schemas")
    assert seen.status == status and f"schema exporter out is {state}" in seen.evidence[0]
    assert trace in seen.evidence[0]


def test_an_exporter_that_is_not_there_or_not_named_is_not_well(look: Any, apis: Apis) -> None:
    assert look("schemas", exporter=None).status == "unknown"
    apis.exporter = None
    assert look("schemas").status == "fail"


def test_what_the_standbys_registry_lacks_is_named(look: Any, apis: Apis) -> None:
    apis.subjects["west"].remove("orders-key")
    assert (look("schemas").status, look("schemas").evidence[0]) == (
        "warn",
        "1 of 2 subjects are not on the standby: orders-key",
    )
    del apis.schemas["west"][GUID]
    apis.schemas["west"]["7"] = '"int"'
    seen = look("schemas")
    assert seen.status == "fail"
    assert f"schemas that last records use are not on the standby: {GUID} of orders" in seen.evidence
    assert "schemas of the same id differ on the standby: 7 of orders" in seen.evidence


def test_a_mode_that_lets_nobody_register_needs_a_hook(look: Any, apis: Apis) -> None:
    apis.mode["west"] = "IMPORT"
    assert look("schemas").status == "warn"


@pytest.mark.parametrize("name", ["schemas", "connectors"])
@pytest.mark.parametrize("site", ["east", "west"])
def test_an_api_that_is_silent_is_unknown(look: Any, apis: Apis, name: str, site: str) -> None:
    apis.lost.add(site)
    assert look(name).status == "unknown"


@pytest.mark.parametrize(
    ("site", "row", "status"),
    [
        ("east", ("RUNNING", ["RUNNING"]), "pass"),
        ("east", ("RUNNING", ["RUNNING", "FAILED"]), "fail"),
        ("east", ("RUNNING", ["UNASSIGNED"]), "warn"),
        ("east", ("PAUSED", ["PAUSED"]), "warn"),
        ("east", ("FAILED", []), "fail"),
        ("west", ("PAUSED", []), "pass"),
        ("west", ("RUNNING", ["RUNNING"]), "warn"),
    ],
)
def test_a_connector_is_judged_with_its_tasks_by_the_side_it_is_on(
    look: Any, apis: Apis, site: str, row: tuple[str, list[str]], status: str
) -> None:
    apis.connectors[site]["sink"] = row
    assert look("connectors").status == status
    del apis.connectors[site]["sink"]
    assert look("connectors").status == "fail"


def test_bindings_of_the_active_cluster_alone_are_named_page_by_page(look: Any, apis: Apis) -> None:
    assert look("role_bindings").status == "pass"
    apis.bindings["west"] = [("User:sa-2", "ResourceOwner", "/kafka={}/topic=x"), *apis.bindings["east"]]
    assert look("role_bindings").evidence == ("1 role bindings are on both clusters",)
    apis.bindings["west"].pop()
    seen = look("role_bindings")
    assert seen.status == "warn" and "User:sa-1 DeveloperRead /kafka=/topic=orders" in seen.evidence[0]


def test_their_secrets_and_roles_are_among_those_that_are_looked_at(plan: Any) -> None:
    role = {"role_arn": "arn:aws:iam::123456789012:role/registry"}
    sites = plan().model_dump(mode="json")["sites"]
    sites["west"]["schema_registry"] = {
        "url": "https://r.example.com",
        "credentials": "failover/registry",
        "role": role,
    }
    named = plan(sites=sites)
    assert "failover/registry" in {login.credentials for login in named.logins}
    assert [each.role_arn for each in roles_of(named)] == [role["role_arn"]]


def test_bytes_that_only_look_like_an_id_are_told_apart_by_length_and_first_byte() -> None:
    assert schema_identities(b"\x00\x00\x00\x00", b"\x02\x00\x00\x00\x01", []) == frozenset()
    assert schema_identities(None, b"\x00\x00\x00\x01\x00", []) == {"256"}
    assert schema_identities(None, b"\x01" + b"\x00" * 16 + b"more", [("__value_schema_id", None)]) == frozenset()
