"""The example hook: registries turn with their clusters, however often it is called; a lost one holds nothing up."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

PATH = Path(__file__).resolve().parents[2] / "hooks" / "schema_registry" / "app.py"


class Registries:
    """Both registries, behind httpx."""

    def __init__(self) -> None:
        self.mode = {"east": "READWRITE", "west": "IMPORT"}
        self.exporter = {"east": "RUNNING", "west": "PAUSED"}
        self.changes: list[str] = []
        self.lost: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        site, path = request.url.host.split(".")[0], request.url.path
        if site in self.lost:
            raise httpx.ConnectTimeout("no answer", request=request)
        assert request.headers["authorization"].startswith("Basic ")
        if request.method == "GET":
            return httpx.Response(
                200, json={"mode": self.mode[site]} if path == "/mode" else {"state": self.exporter[site]}
            )
        self.changes.append(f"{site} {path}")
        if path == "/mode":
            self.mode[site] = json.loads(request.content)["mode"]
            assert (request.url.params["force"] == "true") == (self.mode[site] == "IMPORT")
        else:
            self.exporter[site] = "PAUSED" if path.endswith("pause") else "RUNNING"
        return httpx.Response(200, json={})


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registries]:
    registries, client = Registries(), httpx.Client
    described = {
        site: {"url": f"https://{site}.example.com", "user": "hook", "secret": "s", "exporter": f"to-{site}"}
        for site in ("east", "west")
    }
    monkeypatch.setenv("REGISTRIES", json.dumps(described))
    monkeypatch.setattr(
        httpx, "Client", lambda **settings: client(**settings, transport=httpx.MockTransport(registries))
    )
    yield registries


@pytest.fixture
def hook(registries: Registries, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    spec = importlib.util.spec_from_file_location("schema_registry_hook", PATH)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_password", lambda _: "secret")

    def hook(moment: str, **more: Any) -> dict[str, str]:
        event = {"moment": moment, "kind": "switchover", "from": "east", "to": "west", "put_back": False} | more
        return dict(module.handler(event, None))

    return hook


def test_registries_turn_with_their_clusters_and_a_second_call_changes_nothing(
    hook: Any, registries: Registries
) -> None:
    for moment in ("before-fence", "before-fence", "after-promotion", "after-promotion", "after-name"):
        assert hook(moment)["status"] == "done"
    assert registries.changes == ["east /exporters/to-east/pause", "west /mode"]
    assert (registries.exporter["east"], registries.mode["west"]) == ("PAUSED", "READWRITE")


def test_what_was_set_for_a_switchover_that_is_given_up_is_set_back(hook: Any, registries: Registries) -> None:
    hook("before-fence")
    assert hook("after-switch-back", put_back=True)["status"] == "done"
    assert (registries.exporter["east"], registries.mode) == ("RUNNING", {"east": "READWRITE", "west": "IMPORT"})


def test_a_lost_registry_holds_no_failover_up_and_is_named(hook: Any, registries: Registries) -> None:
    registries.lost.add("east")
    answer = hook("before-fence", kind="failover")
    assert answer == {"status": "done", "why": "the registry of east does not answer, and was left as it is"}


def test_a_registry_that_is_needed_is_waited_for(hook: Any, registries: Registries) -> None:
    registries.lost.add("west")
    assert hook("after-promotion", kind="failover")["status"] == "waiting"
    registries.lost.clear()
    assert hook("after-promotion", kind="failover")["status"] == "done"
