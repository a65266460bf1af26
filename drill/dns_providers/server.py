"""An application on a port of this process for a while, with faults on its operations."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from drill.confluent.faults import Faults, Handler
from drill.confluent.listener import Door, listen, serve_aside
from drill.ports import LOOPBACK

Operation = tuple[str, str, str, Handler]
"""Its name, method, path and handler."""


def no_faults() -> Faults:
    """Faults to be armed later; how the place is reached does not change."""
    return Faults(Door())


@contextmanager
def served(operations: Iterable[Operation], faults: Faults) -> Iterator[str]:
    """Serve them; the URL."""
    routes: list[BaseRoute] = [
        Route(path, faults.around(name, handler), methods=[method]) for name, method, path, handler in operations
    ]
    listener = listen()
    loop = asyncio.new_event_loop()
    serving = loop.create_task(serve_aside(Starlette(routes=routes), listener))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()
        loop.close()
        listener.close()
