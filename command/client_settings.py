"""A Kafka client's configuration, as its owners keep it: properties, librdkafka's JSON, Spring's, a Python dict."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

Library = Literal["java", "librdkafka", "kafka-python"]
LIBRARIES: Final[tuple[Library, ...]] = ("java", "librdkafka", "kafka-python")
_OF_ANY_CLIENT: Final = ("bootstrap.servers", "metadata.broker.list", "bootstrap_servers", "group.id")
_SPRING: Final = "spring.kafka."
_OF_LIBRDKAFKA: Final = frozenset(
    {
        "socket.timeout.ms",
        "message.timeout.ms",
        "metadata.broker.list",
        "queue.buffering.max.ms",
        "queue.buffering.max.messages",
        "broker.address.ttl",
        "request.required.acks",
        "message.send.max.retries",
        "enable.partition.eof",
    }
)
"""Settings that Java's clients do not know."""
_ALIASES: Final = {
    "metadata.broker.list": "bootstrap.servers",
    "request.required.acks": "acks",
    "delivery.timeout.ms": "message.timeout.ms",
}
"""Of librdkafka: a second name of a setting (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)."""


class NoClientSettings(ValueError):
    """A file holds no configuration of a Kafka client that can be read."""


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """One client's settings, by the names its library has for them."""

    where: str
    """The file, and the part of it."""
    library: Library
    values: Mapping[str, str]
    assigns: bool = False
    """Whether the program calls `assign()` instead of joining a group."""

    def get(self, name: str) -> str | None:
        """A setting, in lower case; None if it is not set."""
        value = self.values.get(name)
        return None if value is None else value.strip().lower()

    def number(self, name: str, default: float) -> float:
        """A setting that is a number; its default if it is none."""
        try:
            return float(self.values.get(name, default))
        except ValueError:
            return default

    @property
    def writes(self) -> bool:
        """Whether it is a producer's, or may be."""
        return not self._reads_for_sure or any(name in self.values for name in ("transactional.id", "acks"))

    @property
    def reads(self) -> bool:
        """Whether it is a consumer's, or may be."""
        return self._reads_for_sure or not any(
            name in self.values for name in ("transactional.id", "acks", "linger.ms", "enable.idempotence")
        )

    @property
    def _reads_for_sure(self) -> bool:
        return any(name in self.values for name in ("group.id", "auto.offset.reset", "group.protocol"))


def read_settings(path: Path, library: Library | None = None) -> list[ClientSettings]:
    """The clients that a file configures. `library`: whose they are, if the file does not show it.

    Raises:
        NoClientSettings: if there is none in it.
        OSError: if it can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        match path.suffix.lower():
            case ".json":
                parts, spring = _flat(path.name, json.loads(text)), False
            case ".yaml" | ".yml":
                parts, spring = _of_yaml(path.name, text)
            case ".py":
                parts, spring = list(_of_python(path.name, text)), False
            case _:
                parts, spring = _of_properties(path.name, text)
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        if isinstance(error, NoClientSettings):
            raise
        raise NoClientSettings(f"{path} can't be read as {path.suffix or 'properties'}: {error}") from None
    assigns = path.suffix.lower() == ".py" and ".assign(" in text
    clients = [_client(where, values, library, spring=spring, assigns=assigns) for where, values in parts if values]
    if not clients:
        raise NoClientSettings(f"{path} holds no settings of a Kafka client: bootstrap.servers, for instance")
    return clients


def _client(
    where: str, values: dict[str, str], library: Library | None, *, spring: bool, assigns: bool
) -> ClientSettings:
    if library is None:
        if any("_" in name and "." not in name for name in values):
            library = "kafka-python"
        else:
            suffix = where.partition(":")[0].rpartition(".")[2]
            librdkafka = not spring and (bool(_OF_LIBRDKAFKA & values.keys()) or suffix in ("json", "py"))
            library = "librdkafka" if librdkafka else "java"
    if library == "kafka-python":
        values = {name.replace("_", "."): value for name, value in values.items()}
    if library == "librdkafka":
        values = {_ALIASES.get(name, name): value for name, value in values.items()}
    return ClientSettings(where=where, library=library, values=values, assigns=assigns)


def _flat(where: str, document: Any) -> list[tuple[str, dict[str, str]]]:
    """An object of settings, or of such objects by a name of their own."""
    if not isinstance(document, dict):
        raise NoClientSettings(f"{where} holds no object of settings")
    plain = {str(name): _text(value) for name, value in document.items() if not isinstance(value, dict | list)}
    parts = [(where, plain)] if _is_client(plain) else []
    for name, value in document.items():
        if isinstance(value, dict):
            inner = {str(key): _text(item) for key, item in value.items() if not isinstance(item, dict | list)}
            if _is_client(inner):
                parts.append((f"{where}: {name}", inner))
    return parts


def _is_client(values: Mapping[str, str]) -> bool:
    return any(
        name in values for name in ("bootstrap.servers", "metadata.broker.list", "bootstrap_servers", "group.id")
    )


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_properties(where: str, text: str) -> tuple[list[tuple[str, dict[str, str]]], bool]:
    """Java's properties; Spring's among them begin with `spring.kafka.`."""
    values: dict[str, str] = {}
    for line in text.replace("\\\n", "").splitlines():
        line = line.strip()
        if not line or line[0] in "#!":
            continue
        cut = min((at for at in (line.find("="), line.find(":")) if at > 0), default=-1)
        if cut > 0:
            values[line[:cut].strip()] = line[cut + 1 :].strip()
    spring = {name.removeprefix(_SPRING): value for name, value in values.items() if name.startswith(_SPRING)}
    return (_of_spring(where, spring), True) if spring else ([(where, values)] if _is_client(values) else [], False)


def _of_yaml(where: str, text: str) -> tuple[list[tuple[str, dict[str, str]]], bool]:
    """Spring's documents after the first have a profile each, which goes over the first one's settings."""
    documents = [dict(_paths(document)) for document in yaml.safe_load_all(text)]
    first = documents[0] if documents else {}
    parts: list[tuple[str, dict[str, str]]] = []
    for number, own in enumerate(documents):
        spring = {
            name.removeprefix(_SPRING): value for name, value in (first | own).items() if name.startswith(_SPRING)
        }
        if spring and any(name.startswith(_SPRING) for name in own):
            profile = own.get("spring.config.activate.on-profile") or own.get("spring.profiles") or f"{number + 1}"
            parts += _of_spring(f"{where}: {profile}" if number else where, spring)
    if parts:
        return parts, True
    flat = {name: value for document in documents for name, value in document.items()}
    return [(where, flat)] if _is_client(flat) else [], False


def _paths(document: Any, before: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for name, value in document.items():
            # A name in brackets is one name, dots and all.
            yield from _paths(value, f"{before}{str(name).removeprefix('[').removesuffix(']')}.")
    elif isinstance(document, list):
        yield before[:-1], ",".join(map(str, document))
    elif document is not None:
        yield before[:-1], _text(document)


def _of_spring(where: str, spring: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """A producer and a consumer, each with what is common to both; Spring's own names are Kafka's with hyphens."""

    def kafka(name: str) -> str:
        return {"value-deserializer": "value.deserializer"}.get(name, name.replace("-", "."))

    common, roles = dict[str, str](), {"producer": dict[str, str](), "consumer": dict[str, str]()}
    for name, value in spring.items():
        role, _, rest = name.partition(".")
        if role in roles and rest:
            roles[role][kafka(rest.removeprefix("properties."))] = value
        elif role == "streams" and rest:
            common[kafka(rest.removeprefix("properties."))] = value
        elif role not in ("listener", "admin", "template", "ssl", "jaas", "retry", "security"):
            common[kafka(name.removeprefix("properties."))] = value
    if roles["consumer"]:
        roles["consumer"].setdefault("auto.offset.reset", "latest")
    if roles["producer"]:
        roles["producer"].setdefault("acks", "all")
    clients = [(f"{where}: {role}", common | own) for role, own in roles.items() if own]
    return clients or [(where, common)]


def _of_python(where: str, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each dict with constant values, and each call with such keywords; what is computed is left out."""
    for node in ast.walk(ast.parse(text)):
        pairs: list[tuple[Any, ast.expr]] = []
        if isinstance(node, ast.Dict):
            pairs = [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
        elif isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
        values = {}
        for name, value in pairs:
            try:
                constant = ast.literal_eval(value)
            except ValueError:
                constant = None
            if isinstance(name, str):
                values[name] = _text(constant)
        if _is_client(values) and len(values) > 1:
            unknown = [name for name, value in values.items() if value == "None"]
            yield f"{where}:{getattr(node, 'lineno', 0)}", {n: v for n, v in values.items() if n not in unknown} or {}
