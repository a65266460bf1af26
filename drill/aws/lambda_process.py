"""The process of a worker: an interpreter that sees what a function sees on Lambda, and nothing of the drill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from drill.aws.lambda_functions import Function
from drill.forks import CAN_FORK, Forks, Program
from drill.process import SPARING

WORKER: Final = Path(__file__).with_name("lambda_worker.py")
ISOLATED: Final = ("-S", "-s", "-P")
"""The first two keep the interpreter's own site-packages out, the last the worker's directory: no package is there that
a layer does not bring."""
PRELOADED: Final = ("aws_lambda_powertools", "failover.execution.step", "failover.link.factory")
"""Where they are forked, functions with the same layers share what these import, as most of them do."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What every worker of this machine needs: interpreter, where AWS answers, where logs go."""

    python: str
    endpoint: str
    log_dir: Path
    runtime_path: tuple[Path, ...] = ()
    """It comes last on sys.path, as the packages of Lambda's own runtime do (boto3, if no layer has it)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cold_start_s: float = 0.0
    """Beyond a worker's own start."""


class WorkerProcesses:
    """Starts them. Safe to use from any thread."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._forks: dict[tuple[Path, ...], Forks] = {}
        self._lock = threading.Lock()

    def start(self, function: Function) -> subprocess.Popen[bytes]:
        """One that imports the function's handler, with pipes for its stdin, stdout and stderr."""
        layers = (*function.layers, *self._surroundings.runtime_path)
        environment = _environment(function, self._surroundings, [function.code, *layers])
        if CAN_FORK:
            program = Program(
                program=str(WORKER),
                environment=environment,
                directory=str(function.code),
                path=[str(function.code)],
                own_group=True,  # and no session: Linux gives each as much as all of another one
            )
            forked = self._forks_with(layers).fork(program)
            if forked is not None:
                return forked
        return subprocess.Popen(
            [self._surroundings.python, *ISOLATED, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=function.code,
            process_group=0,  # an interrupt from the terminal is for the drill's main process
            env=environment,
        )

    def _forks_with(self, layers: tuple[Path, ...]) -> Forks:
        with self._lock:
            if layers not in self._forks:
                environment = SPARING | {"LANG": "en_US.UTF-8", "PYTHONPATH": _search_path(layers)}
                environment |= self._surroundings.environment
                interpreter = [self._surroundings.python, *ISOLATED]
                self._forks[layers] = Forks(interpreter, environment, preloaded=PRELOADED)
            return self._forks[layers]


def _environment(function: Function, surroundings: Surroundings, path: list[Path]) -> dict[str, str]:
    """The variables that Lambda defines, by one of which an SDK says whose a call is; then the function's own."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        **SPARING,
        "PYTHONPATH": _search_path(path),
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group or f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{_today()}/[{function.version}]{uuid.uuid4().hex}",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "drill",
        "AWS_SECRET_ACCESS_KEY": "drill",
        "AWS_SDK_UA_APP_ID": function.name[:50],
        **surroundings.environment,
        **function.environment,
        # Last, since the template has it empty.
        "AWS_ENDPOINT_URL": surroundings.endpoint,
    }


def _search_path(entries: list[Path] | tuple[Path, ...]) -> str:
    return os.pathsep.join(str(entry) for entry in entries)


def _today() -> str:
    return time.strftime("%Y/%m/%d", time.gmtime())
