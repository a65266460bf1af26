"""What the drill makes sure of before it leads containers to a world, and what it says where it can't."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from drill.process import ROOT
from drill.sam_local import command, engine
from drill.sam_local.build import MACHINE, NotBuilt, check_build
from drill.sam_local.command import WorldIsUp, environment_file, refuse_second_world, sam_local
from drill.sam_local.functions import WarmContainers
from drill.sam_local.invocation import NotInvoked

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What `sam build` leaves, as far as it is looked at."""
    native = tmp_path / "DependenciesLayer" / "python" / f"cimpl.cpython-313-{MACHINE}-linux-gnu.so"
    native.parent.mkdir(parents=True)
    native.touch()
    (tmp_path / "Claim").mkdir()
    (tmp_path / "template.yaml").touch()
    return tmp_path


def test_a_build_of_what_lies_here_is_taken(build: Path) -> None:
    check_build(build)


def _none(build: Path) -> None:
    (build / "template.yaml").unlink()


def _of_another_template(build: Path) -> None:
    (build / "Claim").rmdir()


def _older(build: Path) -> None:
    os.utime(build / "template.yaml", (0, 0))


def _for_another_processor(build: Path) -> None:
    (native,) = build.rglob("*.so")
    native.rename(native.with_name("cimpl.cpython-313-riscv64-linux-gnu.so"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_none, "were not built"),
        (_of_another_template, "were not built"),
        (_older, "template.yaml has changed"),
        (_for_another_processor, f"another processor than {MACHINE}"),
    ],
)
def test_any_other_build_is_refused_with_what_to_do(build: Path, spoil: Callable[[Path], None], why: str) -> None:
    spoil(build)
    with pytest.raises(NotBuilt, match=f"{why}.*make sam-build"):
        check_build(build)


def test_the_variables_of_a_world_that_came_later_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "environment_of", lambda world: {"Claim": {"AWS_ENDPOINT_URL": world}})
    path = tmp_path / "env.json"
    first: Any = "http://first"
    with environment_file(first, path):
        path.write_text("of the second")
    assert path.read_text() == "of the second"


class _World(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        pass


def test_a_second_world_is_refused_while_the_first_answers(tmp_path: Path) -> None:
    path = tmp_path / "env.json"
    with HTTPServer(("127.0.0.1", 0), _World) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        path.write_text(json.dumps({"Claim": {"AWS_ENDPOINT_URL": endpoint}}))
        with pytest.raises(WorldIsUp, match=endpoint):
            refuse_second_world(path)
        server.shutdown()


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"Claim": {}}', f'{{"Claim": {{"AWS_ENDPOINT_URL": "{NOBODY}"}}}}']
)
def test_what_a_world_left_that_was_killed_is_in_nobodys_way(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "env.json"
    if content is not None:
        path.write_text(content)
    refuse_second_world(path)


def test_a_function_that_no_container_is_made_of_is_no_answer(tmp_path: Path) -> None:
    containers = WarmContainers({"Claim": f"{NOBODY}/2015-03-31/functions/Claim/invocations"}, tmp_path / "sam.log")
    with pytest.raises(NotInvoked, match=r"did not run Claim: .*sam\.log"):
        containers.warm(["Claim"])


@pytest.mark.parametrize("image", [engine.IMAGE, engine.IMAGE_OF_AWS])
def test_an_image_that_is_there_is_used_and_none_is_pulled(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\ntest "$3" = {image}\n')
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    words = " ".join(sam_local("invoke", "Claim"))
    assert words.endswith(f"--invoke-image {image} --skip-pull-image")


def test_without_an_image_sam_pulls_the_one_of_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "--skip-pull-image" not in sam_local("invoke", "Claim")


def test_the_image_that_is_made_is_the_one_that_is_looked_for() -> None:
    script = (ROOT / "drill" / "sam_local" / "make-base-image").read_text()
    assert engine.IMAGE.rpartition("-")[0] == "lambda/python:3.13"
    assert "image=lambda/python:$VERSION-$architecture" in script
    assert "VERSION=3.13" in script
    assert '"public.ecr.aws/$image"' in script
