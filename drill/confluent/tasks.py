"""The tasks of a cluster link, in the states that follow from its configuration and from what went wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drill.confluent import link_configs
from drill.confluent.link_configs import LinkConfigs
from drill.confluent.mirrors import LinkState, TransitionError

ACL_SYNC: Final = "AclSync"
AUTO_CREATE: Final = "AutoCreateMirror"
OFFSET_SYNC: Final = "ConsumerOffsetSync"
TOPIC_CONFIGS_SYNC: Final = "TopicConfigsSync"

TaskErrors = Mapping[str, tuple[TransitionError, ...]]


@dataclass(frozen=True)
class Task:
    """A task and its state, by the spec's words."""

    name: str
    state: str
    errors: tuple[TransitionError, ...] = ()


def tasks(link: LinkState, configs: LinkConfigs, errors: TaskErrors) -> list[Task]:
    """Every task. One that is off, or on with filters that name nothing, is NOT_CONFIGURED and has no errors: nothing
    fails, and nothing is synced."""
    configured = {
        ACL_SYNC: configs.configured(link_configs.ACL_SYNC),
        AUTO_CREATE: configs.configured(link_configs.AUTO_CREATE),
        OFFSET_SYNC: configs.configured(link_configs.OFFSET_SYNC),
        TOPIC_CONFIGS_SYNC: True,
    }
    return [_task(link, name, on, tuple(errors.get(name, ()))) for name, on in configured.items()]


def _task(link: LinkState, name: str, configured: bool, errors: tuple[TransitionError, ...]) -> Task:
    if not configured:
        return Task(name, "NOT_CONFIGURED")
    match link:
        case LinkState.PAUSED:
            return Task(name, "LINK_PAUSED")
        case LinkState.UNAVAILABLE:
            return Task(name, "LINK_UNAVAILABLE", errors)
        case LinkState.FAILED:
            return Task(name, "LINK_FAILED", errors)
        case LinkState.ACTIVE:
            return Task(name, "IN_ERROR" if errors else "ACTIVE", errors)
