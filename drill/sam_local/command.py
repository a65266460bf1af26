"""The SAM CLI's command lines for a world, and the variables that they give to every function."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from drill import fixture_plan
from drill.fixture_plan import REGIONS, STANDBY
from drill.network.plain_http import plain
from drill.process import ROOT
from drill.sam_local.build import NotBuilt, check_build
from drill.sam_local.engine import ARCHITECTURE, local_image
from drill.world import World

ENVIRONMENT_FILE: Final = ROOT / "events" / "local-env.json"
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": fixture_plan.ACCOUNT,
    "AWS_SECRET_ACCESS_KEY": "drill",
    "AWS_DEFAULT_REGION": REGIONS[STANDBY],
}
"""What SAM hands to its containers from its own environment, where a template can't name it."""
ANSWER_S: Final = 2.0


class WorldIsUp(RuntimeError):
    """Another world for `sam local` is up in this directory."""


def environment_of(world: World) -> dict[str, dict[str, str]]:
    """What `sam local --env-vars` gives to each function of the controller's stack, by its logical id."""
    functions = {function["FunctionName"]: function for function in world.aws("lambda").list_functions()["Functions"]}
    return {
        logical_id: functions[name]["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": world.endpoint}
        for logical_id, name in world.functions().items()
    }


@contextmanager
def environment_file(world: World, path: Path = ENVIRONMENT_FILE) -> Iterator[Path]:
    """The file of those variables, for as long as the world is there."""
    content = json.dumps(environment_of(world), indent=2) + "\n"
    path.write_text(content)
    try:
        yield path
    finally:
        if path.exists() and path.read_text() == content:
            path.unlink()


def refuse_second_world(path: Path = ENVIRONMENT_FILE) -> None:
    """Do nothing unless the file leads to a world that answers.

    Raises:
        WorldIsUp: if it does: the functions of a second one would be led to the first.
    """
    try:
        environment = json.loads(path.read_text())
        endpoints = {variables["AWS_ENDPOINT_URL"] for variables in environment.values()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return
    for endpoint in endpoints:
        with suppress(httpx.HTTPError):
            if plain.get(f"{endpoint}/drill/events", timeout=ANSWER_S).is_success:
                raise WorldIsUp(f"a world for sam local is up at {endpoint} already; end it first, or use it")


def sam() -> str:
    """The SAM CLI: the project's own, if it was made, else the one that is installed."""
    own = ROOT / ".venv-sam" / "bin" / "sam"
    return str(own) if own.exists() else shutil.which("sam") or "sam"


def sam_local(*words: str, build: Path | None = None, environment: Path = ENVIRONMENT_FILE) -> list[str]:
    """`sam local …` on what `sam build` built for this machine."""
    image = local_image()
    pulls_none = ["--invoke-image", image, "--skip-pull-image"] if image else []
    template = ["--template", str(build / "template.yaml")] if build else []
    settings = ["--env-vars", str(environment), "--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    return [sam(), "local", *words, *template, *settings, *pulls_none]


def surroundings() -> dict[str, str]:
    """The SAM CLI's environment: this one's, with the world's credentials and region in place of any other."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return mine | CREDENTIALS | {"SAM_CLI_TELEMETRY": "0"}


def line(*words: str) -> str:
    """The same, as a line to paste into a shell in the project's directory."""
    command = [_from_here(word) for word in sam_local(*words)]
    return " ".join([*(f"{name}={value}" for name, value in CREDENTIALS.items()), shlex.join(command)])


def _from_here(word: str) -> str:
    return os.path.relpath(word, ROOT) if word.startswith(f"{ROOT}{os.sep}") else word


def print_lines(console: Console) -> None:
    """What to paste into another terminal, in this directory."""
    try:
        check_build()
    except NotBuilt as error:
        console.print(f"\n{error}, before what follows", style="yellow", markup=False)
    console.print("\nOne function in a container, on this world:")
    console.print(line("invoke", "Claim", "--event", "events/claim.json"), markup=False, highlight=False)
    console.print("All of them, at an endpoint of Lambda's API:")
    console.print(line("start-lambda", "--warm-containers", "LAZY") + "\n", markup=False, highlight=False)
