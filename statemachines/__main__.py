"""Write the text of every state machine: `python -m statemachines`."""

from __future__ import annotations

from pathlib import Path

from statemachines import MACHINES
from statemachines.text import asl

FOLDER = Path(__file__).parent


def main() -> None:
    """Write `<name>.asl.yaml` of each machine beside this file."""
    for name, machine in MACHINES.items():
        (FOLDER / f"{name}.asl.yaml").write_text(asl(machine()))


if __name__ == "__main__":
    main()
