"""The process that lives are lived in: time, chance, threads and every way out are those of the life that runs.

It must be patched before the product is imported, and is never as before again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import functools
import gzip
import os
import random
import ssl
import sys
import time
import types
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx

from simulation import threads
from simulation.scheduler import current, running

_real_time, _real_monotonic, _real_sleep = time.time, time.monotonic, time.sleep
_RealDatetime = datetime.datetime


class _VirtualDatetime(_RealDatetime):
    """`datetime.now` is written in C and asks the machine; this one asks the life."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        """The moment of the life."""
        return _RealDatetime.fromtimestamp(time.time(), tz)


def install() -> None:
    """Patch time, chance and threads. Call it before anything of the product is imported."""
    os.environ |= {
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "Failover",
        "POWERTOOLS_SERVICE_NAME": "failover",
    }
    clock: Any = time
    clock.time = lambda: life.now + life.clock_ahead_s if (life := running()) else _real_time()
    clock.monotonic = lambda: life.now if (life := running()) else _real_monotonic()
    clock.sleep = lambda seconds: life.sleep(seconds) if (life := running()) else _real_sleep(seconds)
    futures: Any = concurrent.futures
    futures.ThreadPoolExecutor, futures.Future, futures.wait = threads.Executor, threads.Future, threads.wait
    chance: Any = uuid
    chance.uuid4 = lambda: uuid.UUID(int=current().random.getrandbits(128), version=4)
    _without_metrics()
    _without_log()
    _once_for_each()


def seed(value: str) -> None:
    """What draws without asking the scheduler, the jitter of product and SDK, is drawn anew for each life."""
    random.seed(value)


def use_virtual_datetime() -> None:
    """Give the modules that ask `datetime.now` one that knows the life. Call it once the product is imported."""
    virtual = types.ModuleType("datetime")
    virtual.__dict__.update(datetime.__dict__)
    virtual.__dict__["datetime"] = _VirtualDatetime
    for name, module in list(sys.modules.items()):
        if not name.startswith(("aws_lambda_powertools.utilities", "failover.fleets", "drill.kubernetes")):
            continue
        for attribute, value in list(vars(module).items()):
            if value is datetime:
                setattr(module, attribute, virtual)
            elif value is _RealDatetime:
                setattr(module, attribute, _VirtualDatetime)


def _once_for_each() -> None:
    """What is computed of the same few values again and again, and depends on nothing else."""
    compression, urls = cast("Any", gzip), cast("Any", httpx._urls)
    compression.decompress = functools.lru_cache(maxsize=256)(gzip.decompress)
    urls.urlparse = functools.lru_cache(maxsize=1024)(urls.urlparse)
    trust: Any = ssl
    trust.create_default_context = functools.lru_cache(maxsize=16)(ssl.create_default_context)


def _without_log() -> None:
    """Nothing is logged, so nothing need be known of whose line it would be."""
    import aws_lambda_powertools

    logger: Any = aws_lambda_powertools.Logger

    def inject_lambda_context(self: Any, handler: Any = None, **_: Any) -> Any:
        return handler if handler is not None else lambda wrapped: wrapped

    logger.inject_lambda_context = inject_lambda_context
    logger.append_keys = lambda self, **_: None


def _without_metrics() -> None:
    """Powertools' metrics are one object for all handlers, which are interleaved here: nobody reads them."""
    import aws_lambda_powertools

    powertools: Any = aws_lambda_powertools
    metrics: Any = aws_lambda_powertools.Metrics

    def log_metrics(self: Any, handler: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        return handler

    metrics.log_metrics = log_metrics
    powertools.single_metric = lambda **_: contextlib.nullcontext(SimpleNamespace(add_dimension=lambda *_, **__: None))
    metrics.add_metric = metrics.add_dimension = lambda self, *_, **__: None
