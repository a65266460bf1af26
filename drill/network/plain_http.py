"""One client for the doors of stand-ins, which speak plain HTTP: httpx's own functions read the roots of all
authorities at every call, which takes a processor longer than the call.
"""

from __future__ import annotations

import ssl
from typing import Final

import httpx

plain: Final = httpx.Client(
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
)
"""Safe to use from any thread. It keeps no connection, which a forked process would share."""
