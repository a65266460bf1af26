"""How long each handler takes to import in a fresh process, and what it drags in: the price of a cold start here.

The search path is Lambda's and nothing else: the function's folder, the layer, and the layer of dependencies, installed
for this interpreter beside its environment. The start of the interpreter is not counted, since Lambda does it before;
byte code is compiled before the first measurement. Two vCPUs of Lambda are no workstation: read the numbers against
each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.result import NotMeasured, Result

ROOT: Final = Path(__file__).resolve().parent.parent
LAYER: Final = ROOT / "layers" / "failover" / "python"
REQUIREMENTS: Final = ROOT / "layers" / "dependencies" / "requirements.txt"
SPEAK_KAFKA: Final = frozenset(
    {
        "check_offsets",
        "check_readiness",
        "create_groups",
        "drain_mirrors",
        "measure_divergence",
        "rescue_records",
        "precheck_restore",
        "restore_mirrors",
        "sync_offsets",
        "verify",
    }
)
DRAW_PAGES: Final = frozenset({"answer_approval", "write_report"})
"""Those with the layer of the room `report`, which lies beside the functions here."""
RUNS: Final = 5
LIMIT_MS: Final = 350

_MEASURE: Final = """
import sys, time
started = time.perf_counter()
import app
seconds = time.perf_counter() - started
import json
print("\\n" + json.dumps({"ms": seconds * 1000, "kafka": "confluent_kafka" in sys.modules}))
"""

# What the template gives every function; none of it is called during an import.
_ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_REGION": "us-west-2",
    "LEDGER_TABLE": "ledger",
    "STACK_NAME": "failover",
    "STATE_MACHINE_ARN": "arn:aws:states:us-west-2:123456789012:stateMachine:failover",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:notifications",
    "POWERTOOLS_METRICS_NAMESPACE": "Failover",
    "POWERTOOLS_SERVICE_NAME": "failover",
}


@dataclass(frozen=True)
class Import:
    """One import of a handler: how long it took, and whether confluent-kafka came with it."""

    ms: float
    kafka: bool


def measure() -> list[Result]:
    """The median import time of each function, in ms, and how many load confluent-kafka without speaking Kafka.

    Raises:
        NotMeasured: if a handler can't be imported, or there is none.
    """
    folders = sorted(path.parent for path in (ROOT / "functions").glob("*/app.py"))
    if not folders:
        raise NotMeasured(f"there is no function in {ROOT / 'functions'}")
    dependencies = install_dependencies()
    results, dragged_in = [], 0
    for folder in folders:
        import_once(folder, dependencies)
        imports = [import_once(folder, dependencies) for _ in range(RUNS)]
        results.append(
            Result(
                name=f"import.{folder.name}",
                value=statistics.median(measured.ms for measured in imports),
                unit="ms",
                limit=LIMIT_MS,
            )
        )
        dragged_in += imports[0].kafka and folder.name not in SPEAK_KAFKA
    return [*results, Result(name="import.kafka_for_nothing", value=dragged_in, unit="functions", limit=0)]


def install_dependencies() -> Path:
    """The layer of dependencies, installed once for this interpreter.

    Raises:
        NotMeasured: if pip can't.
    """
    target = Path(sys.prefix) / "lambda-dependencies"
    done = target / f".{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    if not done.exists():
        shutil.rmtree(target, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), "-r", str(REQUIREMENTS)]
        process = subprocess.run(pip, capture_output=True, text=True, check=False)
        if process.returncode != 0:
            raise NotMeasured(f"the dependencies can't be installed: {process.stderr.strip()[-500:]}")
        done.touch()
    return target


def import_once(folder: Path, dependencies: Path) -> Import:
    """Import `app` of a function's folder in a fresh process.

    Raises:
        NotMeasured: with the end of what the process said.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    layers = (LAYER, dependencies, *([ROOT] if folder.name in DRAW_PAGES else []))
    environment = {**inherited, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, (folder, *layers)))}
    process = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURE], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        raise NotMeasured(f"{folder.name} can't be imported: {process.stderr.strip().rpartition(chr(10))[2]}")
    return Import(**json.loads(process.stdout.splitlines()[-1]))
