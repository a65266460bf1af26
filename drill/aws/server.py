"""The endpoint: moto's server behind a door that knows lost regions, Lambda, and the drill's own paths."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from uuid import uuid4

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from drill.aws.concurrency import AT_ONCE, TooManyRequests
from drill.aws.keep_alive import KeepAlive
from drill.aws.lambda_async import AsyncInvoker
from drill.aws.lambda_functions import Function, UnknownFunction
from drill.aws.lambda_runtime import LambdaRuntime
from drill.aws.limits import Limits
from drill.aws.quotas import account_limit
from drill.aws.regions import Regions

_FUNCTIONS = "/2015-03-31/functions"
_APPLICATION = re.compile(r"\bapp/(\S+)")
"""In an SDK's User-Agent: the function, where one called."""
_ACCOUNT_SETTINGS = "/2016-08-19/account-settings"
_INVOKE = re.compile(_FUNCTIONS + r"/(?P<name>[^/]+)/invocations")
_FUNCTION = re.compile(_FUNCTIONS + r"/(?P<name>[^/]+)(?P<configuration>/configuration)?")
_REGION = re.compile(r"/drill/regions/(?P<region>[a-z0-9-]+)/(?P<act>lose|restore)")
_MOVE = re.compile(r"/drill/functions/(?P<name>[^/]+)/move")
_ZONE = re.compile(r"/drill/zones/(?P<zone>[a-z0-9-]+)/lose")
_SERVICE = re.compile(r"/drill/services/(?P<service>[a-z0-9-]+)/lose")

HANGING_LOOK_S: Final = 0.1
HANGING_S: Final = 60.0
"""As long as the SDK waits for an answer by itself."""

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Door:
    """The WSGI application in front of moto's.

    Lambda's few calls are answered here: moto's Lambda runs containers, and imports a quarter of moto for it.

    The drill's own paths:
    GET /drill/<report>, /drill/calls among them: how often which function asked moto for what;
    POST /drill/warm[?function=<name>&function=…], which answers when those (or all) have a worker;
    POST /drill/functions/<name>/move?to=<URL>: it runs there from then on;
    POST /drill/schedules/start, if the configuration left them off;
    POST /drill/regions/<region>/lose[?keep=<signing name>&keep=…][&silent=true] and /restore;
    POST /drill/zones/<availability zone>/lose: what runs in it;
    POST /drill/services/<signing name>/lose, in every region.
    """

    def __init__(
        self,
        moto: Wsgi,
        regions: Regions,
        runtime: LambdaRuntime,
        invoker: AsyncInvoker,
        reports: Mapping[str, Callable[[], Any]],
        start_schedules: Callable[[], None],
    ) -> None:
        self._moto = moto
        self._limits = Limits()
        self._regions = regions
        self._runtime = runtime
        self._invoker = invoker
        self._start_schedules = start_schedules
        self._calls: Counter[tuple[str, str]] = Counter()
        self._calls_lock = threading.Lock()
        self._reports = {f"/drill/{name}": report for name, report in reports.items()} | {"/drill/calls": self._called}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith("/drill/"):
            status, body = self._control(environ["REQUEST_METHOD"], path, parse_qs(environ.get("QUERY_STRING", "")))
            return _answer(start_response, status, body)
        if path.startswith(_FUNCTIONS):
            try:
                return self._lambda(environ, start_response, path)
            except UnknownFunction as error:
                body = {"Type": "User", "Message": str(error)}
                return _answer(start_response, 404, body, [("x-amzn-ErrorType", "ResourceNotFoundException")])
            except TooManyRequests as error:
                body = {"Type": "User", "Reason": "ConcurrentInvocationLimitExceeded", "message": str(error)}
                return _answer(start_response, 429, body, [("x-amzn-ErrorType", "TooManyRequestsException")])
        if path.rstrip("/") == _ACCOUNT_SETTINGS:
            limit = {"ConcurrentExecutions": AT_ONCE, "UnreservedConcurrentExecutions": AT_ONCE}
            return _answer(start_response, 200, {"AccountLimit": limit})
        by_function = self._count(environ)
        if by_function and (refusal := self._limits.refusal(environ)) is not None:
            return _answer(start_response, refusal.status, refusal.body, content_type=refusal.content_type)
        if (document := account_limit(environ)) is not None:
            return _answer(start_response, 200, document, content_type="text/xml")
        return self._moto(environ, start_response)

    def _count(self, environ: Mapping[str, Any]) -> bool:
        """Count a function's call; whether it is one. What the drill asks for itself is in no account's limits."""
        by = _APPLICATION.search(environ.get("HTTP_USER_AGENT", ""))
        operation = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if by is not None:
            with self._calls_lock:
                self._calls[by[1], operation] += 1
        return by is not None

    def _called(self) -> list[dict[str, Any]]:
        with self._calls_lock:
            return [{"function": by, "operation": what, "calls": many} for (by, what), many in self._calls.items()]

    def _control(self, method: str, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        region = _REGION.fullmatch(path)
        if method == "POST" and region:
            if region["act"] == "lose":
                self._regions.lose(region["region"], keep=query.get("keep", ()), silent="silent" in query)
            else:
                self._regions.restore(region["region"])
            return 200, self._regions.lost()
        zone = _ZONE.fullmatch(path)
        if method == "POST" and zone:
            self._regions.lose_zone(zone["zone"])
            return 200, {}
        service = _SERVICE.fullmatch(path)
        if method == "POST" and service:
            self._regions.lose_service(service["service"])
            return 200, {}
        moved = _MOVE.fullmatch(path)
        if method == "POST" and moved and "to" in query:
            self._runtime.move(unquote(moved["name"]), query["to"][0])
            return 200, {}
        if method == "POST" and path == "/drill/warm":
            self._runtime.warm(query.get("function", ()))
            return 200, self._runtime.pids()
        if method == "POST" and path == "/drill/schedules/start":
            self._start_schedules()
            return 200, {}
        if method == "GET" and path in self._reports:
            return 200, self._reports[path]()
        return 404, {"Message": f"no {method} {path} in the drill"}

    def _lambda(self, environ: dict[str, Any], start_response: Any, path: str) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        invoke = _INVOKE.fullmatch(path)
        if method == "POST" and invoke:
            event = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return self._invoke(unquote(invoke["name"]), event or b"{}", environ, start_response)
        function = _FUNCTION.fullmatch(path)
        if method == "GET" and function:
            configuration = _configuration(self._runtime.find(unquote(function["name"])))
            return _answer(
                start_response, 200, configuration if function["configuration"] else {"Configuration": configuration}
            )
        if method == "GET" and path.rstrip("/") == _FUNCTIONS:
            return _answer(start_response, 200, {"Functions": [_configuration(f) for f in self._runtime.functions()]})
        return _answer(start_response, 501, {"Message": f"the drill's Lambda has no {method} {path}"})

    def _invoke(self, name: str, event: bytes, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            json.loads(event)
        except ValueError as error:
            body = {"Type": "User", "Message": f"Could not parse request body into json: {error}"}
            return _answer(start_response, 400, body, [("x-amzn-ErrorType", "InvalidRequestContentException")])
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if kind == "Event":
            self._invoker.accept(name, event)
            return _answer(start_response, 202, b"")
        if kind == "DryRun":
            self._runtime.find(name)
            return _answer(start_response, 204, b"")
        invoked = self._runtime.invoke(name, event)
        headers = [("X-Amz-Executed-Version", self._runtime.find(name).version)]
        if invoked.error is not None:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        return _answer(start_response, 200, invoked.payload, headers)


def serve(listeners: Iterable[socket.socket], regions: Regions, door: Callable[[Wsgi], Wsgi]) -> None:
    """Answer what comes to the listeners, from a thread each."""

    class Handler(KeepAlive):
        disable_nagle_algorithm = True
        wbufsize = -1
        protocol_version = "HTTP/1.1"

        def run_wsgi(self) -> None:
            authorization = self.headers.get("Authorization", "")
            give_up_at = time.monotonic() + HANGING_S
            while regions.hangs(authorization):
                if _has_ended(self.connection) or time.monotonic() > give_up_at:
                    self.close_connection = True
                    return
                time.sleep(HANGING_LOOK_S)
            if regions.refuses(authorization):
                # A dead endpoint: no status, no body. The body that was sent stays unread, so the peer sees a reset.
                self.close_connection = True
                return
            super().run_wsgi()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing: there are dozens a second."""

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
            if "Connection" not in message:
                super().log(type, message, *args)

    application = door(DomainDispatcherApplication(create_backend_app))
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        server: Any = make_server(host, port, application, threaded=True, request_handler=Handler, fd=listener.fileno())
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="endpoint", daemon=True).start()


def _has_ended(connection: socket.socket) -> bool:
    """Whether the peer has given up; bytes of a request that it sent are left where they are."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _answer(
    start_response: Any,
    status: int,
    body: Any,
    headers: Iterable[tuple[str, str]] = (),
    content_type: str = "application/json",
) -> Iterable[bytes]:
    data = body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
    fixed = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(data))),
        ("x-amzn-RequestId", str(uuid4())),
    ]
    with suppress(BrokenPipeError):
        start_response(f"{status} -", [*fixed, *headers])
    return [data]


def _configuration(function: Function) -> dict[str, Any]:
    return {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Handler": function.handler,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "Environment": {"Variables": dict(function.environment)},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Version": "$LATEST",
    }
