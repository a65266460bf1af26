"""`sam validate --lint` and `sam build` pass, and what was built runs by itself, without this checkout."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".venv-sam" / "bin" / "sam"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    "SAM_CLI_TELEMETRY": "0",
    "AWS_DEFAULT_REGION": "us-west-2",
}

IMPORT_EACH = """
import os, sys
sys.path = [p for p in sys.path if "site-packages" not in p]
import botocore.session, pydantic, aws_lambda_powertools
for artefact in sys.argv[1:]:
    if os.fork() == 0:
        sys.path.insert(0, artefact)
        import app
        assert app.handler and app.__file__.startswith(artefact)
        sys.exit()
    if os.wait()[1]:
        sys.exit(artefact)
"""
"""Each in a process of its own, which has of the layers what every function imports and is long to import."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAM.exists(), reason="the SAM CLI's environment is made by `make test`"),
]


def sam(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = ENVIRONMENT | environment
    return subprocess.run([SAM, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def build(out: Path, *arguments: str, **environment: str) -> None:
    result = sam("build", "--no-cached", "--build-dir", str(out), *arguments, **environment)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "template",
    [
        f"{name}.yaml"
        for name in ("template", "signals", "command/alarms", "ledger", "beacon", "name", "messages", "rescue")
    ],
)
def test_the_template_is_valid_and_lints(template: str) -> None:
    result = sam("validate", "--lint", "--template", template)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sam build` for the interpreter that is there."""
    out = tmp_path_factory.mktemp("sam")
    overrides = f"Runtime={VERSION} Architecture={ARCHITECTURE}"
    build(out, "--parameter-overrides", overrides, LAMBDA_PYTHON="host", PYTHON=sys.executable)
    return out


@pytest.mark.timeout(600)
def test_the_default_build_is_for_the_templates_runtime_and_architecture(tmp_path: Path) -> None:
    build(tmp_path, PYTHON=sys.executable)
    extensions = [path.name for path in (tmp_path / "DependenciesLayer").rglob("*.so") if "cpython" in path.name]
    assert any(name.startswith("cimpl") for name in extensions)
    assert all("cpython-313-aarch64" in name for name in extensions), extensions
    template = (ROOT / "template.yaml").read_text()
    assert "Default: python3.13" in template and "Default: arm64" in template


@pytest.mark.timeout(600)
def test_every_built_function_imports_from_its_artefact_and_layers_alone(built: Path, tmp_path: Path) -> None:
    functions = sorted((ROOT / "functions").glob("*/app.py"))
    own = next(line for line in (built / "template.yaml").read_text().splitlines() if line.endswith("layers/failover"))
    layers = [str(built / own.split(": ")[1] / "python"), str(built / "DependenciesLayer" / "python")]
    layers.append(str(built / "ReportLayer" / "python"))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(layers),
        "AWS_DEFAULT_REGION": "us-west-2",
        "LEDGER_TABLE": "ledger",
    }
    artefacts = []
    for app in functions:
        name = "".join(part.capitalize() for part in app.parent.name.split("_"))
        assert (built / name / "app.py").read_bytes() == app.read_bytes()
        artefacts.append(str(built / name))
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *artefacts],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
