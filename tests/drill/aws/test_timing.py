"""What takes its time on AWS takes it in the drill, where it is asked for; each delay says where it comes from."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

from drill.aws.name_changes import NameChanges
from drill.timing import SOURCES, TIMINGS, Timing, TimingName, described


class Answer:
    """What moto answers to GetChange, and to a change."""

    def __init__(self, change: str) -> None:
        self.result = {"ChangeInfo": {"Id": change, "Status": "INSYNC"}}


def status(changes: NameChanges, change: str, made: str | None = None) -> tuple[str, str]:
    answer: Any = changes.answer(Answer(change), made).result  # type: ignore[arg-type]
    return answer["ChangeInfo"]["Id"], answer["ChangeInfo"]["Status"]


def test_a_change_of_a_record_is_pending_until_it_is_in_sync() -> None:
    slow, quick = NameChanges(60.0), NameChanges(0.01)
    for changes in (slow, quick):
        assert status(changes, "/change/moto", "C1") == ("/change/C1", "PENDING")
    time.sleep(0.02)
    assert status(slow, "/change/C1") == ("/change/C1", "PENDING")
    assert status(quick, "/change/C1") == ("/change/C1", "INSYNC")
    assert status(slow, "/change/of-another")[1] == "INSYNC"


def test_every_delay_of_aws_is_longer_than_the_drills_and_has_a_source() -> None:
    drill, aws = TIMINGS[TimingName.DRILL], TIMINGS[TimingName.AWS]
    assert {field.name for field in fields(Timing)} == set(SOURCES)
    assert all(getattr(aws, name) > getattr(drill, name) for name in SOURCES)
    assert len(described(TimingName.AWS)) == len(SOURCES) and described(TimingName.DRILL) == {}
