"""A cluster link that is asked for in the API, or taken away. What is refused: Confluent's documentation and CLI."""

from __future__ import annotations

import base64
import re

from pydantic import BaseModel

from drill.confluent import link_configs
from drill.confluent.endpoints import ApiError
from drill.confluent.link_configs import BIDIRECTIONAL, SOURCE, Change, LinkConfigs
from drill.confluent.link_state import LinkBook
from drill.confluent.linking import Linking
from drill.confluent.links import Links
from drill.confluent.source import Source, SourceUnreachable

MAX_LINKS = 10


class _Config(BaseModel):
    name: str
    value: str | None = None


class NewLink(BaseModel):
    """The body of createKafkaLink."""

    source_cluster_id: str | None = None
    destination_cluster_id: str | None = None
    remote_cluster_id: str | None = None
    cluster_link_id: str | None = None
    configs: list[_Config] = []


class LinkCreation:
    """Creates and deletes links; methods block. `recorded`: refuses an existing name as real clusters did."""

    def __init__(self, links: Links, linking: Linking, recorded: bool) -> None:
        self._links = links
        self._linking = linking
        self._recorded = recorded
        self.has_unmanaged = False

    def create(self, name: str, new: NewLink, *, validate_only: bool, validate_link: bool) -> None:
        """Create a link, unless it is only to be validated.

        Raises:
            ApiError, ConfigRefused
        """
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,64}", name):
            raise ApiError(400, "Invalid Cluster Link Name.")
        if self._links.get(name) is not None:
            raise self._exists()
        if len(self._links.all()) >= MAX_LINKS:
            raise ApiError(400, f"The cluster has {MAX_LINKS} cluster links already")
        configs = link_configs.created(Change(row.name, row.value) for row in new.configs if row.value is not None)
        if configs.prefix and configs.prefix in {book.link.prefix for book in self._links.all()}:
            raise ApiError(400, f"Another cluster link has the prefix '{configs.prefix}'")
        remote = _remote_cluster_id(new, configs)
        book, source = self._linking.prepare(name, remote, configs)
        if new.cluster_link_id not in (None, encoded_id(book)):
            raise ApiError(400, "The cluster link ID is not that of the remote cluster's link")
        if validate_link:
            _validate(source, remote)
        if not validate_only:
            self._linking.create(name, remote, configs)

    def delete(self, book: LinkBook, *, force: bool, validate_only: bool) -> None:
        """Delete a link, which without `force` must have no live mirrors.

        Raises:
            ApiError, GuardUnreachable
        """
        live = [mirror.topic for mirror in book.link.mirrors.values() if not mirror.writable]
        if live and not force:  # the status was seen; the text is our choice
            raise ApiError(403, f"Cluster link '{book.link.name}' has {len(live)} mirror topics", 40301)
        if validate_only:
            return
        if book.configs.value(link_configs.CONNECTION_MODE) == "INBOUND":
            self.has_unmanaged = True
        self._linking.delete(book)

    def _exists(self) -> ApiError:
        if self._recorded:
            return ApiError(409, "A cluster link already exists with the provided link name", 40902)
        return ApiError(404, "A cluster link already exists with the provided link name")


def encoded_id(book: LinkBook) -> str:
    """`cluster_link_id`, as Kafka writes a UUID."""
    return base64.urlsafe_b64encode(book.link_id.bytes).decode().rstrip("=")


def _remote_cluster_id(new: NewLink, configs: LinkConfigs) -> str:
    match configs.mode:
        case mode if mode == BIDIRECTIONAL:
            remote = new.remote_cluster_id
        case mode if mode == SOURCE:
            remote = new.destination_cluster_id or new.remote_cluster_id
        case _:
            remote = new.source_cluster_id or new.remote_cluster_id
    if not remote:
        raise ApiError(400, f"The id of the other cluster is needed for a link of mode {configs.mode}")
    return remote


def _validate(source: Source, expected: str) -> None:
    try:
        actual = source.cluster_id()
    except SourceUnreachable:
        raise ApiError(408, "The server received the request, but the operation timed out") from None
    if actual not in (None, expected):
        raise ApiError(400, f"Expected remote cluster ID {expected}, but it is {actual}")
