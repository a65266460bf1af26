"""The services that write and read, on Kafka's own Java library. A writer with a `transactional.id` writes in
transactions."""

from __future__ import annotations

import json
import os
import sys

from drill.engines import java_client
from drill.engines.jars import EngineMissing
from drill.process import argument


def main() -> None:
    """Become the client."""
    config = argument("ProducerConfig or ConsumerConfig")
    fields = json.loads(config)
    writer = "transactional" if "transactional.id" in fields["settings"] else "writer"
    try:
        command = java_client.command("reader" if "group" in fields else writer, config)
    except EngineMissing as error:
        sys.stderr.write(f"the client can't start: {error}\n")
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
