"""Every function in the SAM CLI's containers: on the drill's world it answers what it answers there, and without a
world it refuses. Where a Docker engine and the image of `drill/sam_local/make-base-image` are."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.process import spawn
from drill.sam_local.command import CREDENTIALS
from drill.sam_local.comparison import compare
from drill.sam_local.endpoint import DOWN_S, UP_S
from drill.sam_local.engine import ARCHITECTURE, IMAGE, local_image
from drill.sam_local.functions import WarmContainers
from drill.sam_local.samples import SAMPLES
from tests.deployment.test_sam import ROOT, SAM, build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not SAM.exists(), reason="no function ran in a container: `make test` makes the SAM CLI's"),
    pytest.mark.skipif(local_image() is None, reason=f"no function ran in a container: there is no image {IMAGE}"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sam build` for containers of this machine's architecture."""
    out = tmp_path_factory.mktemp("built")
    machine = {"arm64": "aarch64"}.get(ARCHITECTURE, ARCHITECTURE)
    overrides = ("--parameter-overrides", f"Architecture={ARCHITECTURE}")
    build(out, *overrides, LAMBDA_MACHINE=machine, PYTHON=sys.executable)
    return out


@pytest.fixture
def printed() -> Iterator[str]:
    """The line that `drill up --for sam-local` prints for one function, while its world is up."""
    command = [sys.executable, "-m", "drill", "up", "--for", "sam-local"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        lines = []
        for line in up.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        try:
            yield next(line for line in lines if " local invoke " in line)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)


def invoked(line: str, built: Path) -> dict[str, object]:
    """What a printed line gives, on what was built here; the shell has somebody's credentials, too."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    shell |= {"AWS_ACCESS_KEY_ID": "somebodys", "AWS_SECRET_ACCESS_KEY": "own", "SAM_CLI_TELEMETRY": "0"}
    line = f"{line.strip()} --template {shlex.quote(str(built / 'template.yaml'))}"
    result = subprocess.run(["sh", "-c", line], cwd=ROOT, env=shell, capture_output=True, text=True, timeout=300)
    assert result.stdout.strip(), result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_the_printed_line_works_on_the_world_and_without_its_variables_refuses(printed: str, built: Path) -> None:
    assert all(f"{name}={value}" in printed for name, value in CREDENTIALS.items())
    execution = invoked(printed, built)["execution"]
    assert isinstance(execution, dict)
    assert (execution["plan"], execution["epoch"]) == ("orders", 1)
    refused = invoked(printed.replace("--env-vars events/local-env.json", ""), built)
    assert refused["errorType"] == "RealAwsRefused"


@pytest.mark.exhaustive
def test_every_function_refuses_in_its_container_where_there_is_no_world(built: Path, tmp_path: Path) -> None:
    environment = tmp_path / "local-env.json"
    environment.write_text("{}")
    config = {"environment": str(environment), "build": str(built)}
    endpoint = spawn("drill.sam_local.endpoint", config, log=tmp_path / "sam.log", timeout_s=UP_S)
    try:
        at = f"{endpoint.ready['url']}/2015-03-31/functions"
        functions = sorted({sample.function for sample in SAMPLES})
        containers = WarmContainers({name: f"{at}/{name}/invocations" for name in functions}, endpoint.log)
        refused = {name: json.loads(containers.invoke(name, b"{}"))["errorType"] for name in functions}
    finally:
        endpoint.stop(DOWN_S)
    assert refused == dict.fromkeys(functions, "RealAwsRefused")


def test_every_sample_is_answered_in_a_container_as_in_the_drill(built: Path, tmp_path: Path) -> None:
    compared = list(compare(tmp_path, built, fresh=False))
    assert [each.sample for each in compared] == list(SAMPLES)
    for each in compared:
        assert each.in_container == each.here, each.sample.file
