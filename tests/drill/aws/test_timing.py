"""What takes its time on AWS takes it in the drill, where it is asked for; each delay says where it comes from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from drill.aws.name_changes import NameChanges, RecordSets
from drill.timing import SOURCES, TIMINGS, Timing, TimingName, described

NAME = "kafka.example.com."
EAST, WEST = ({"Name": NAME, "Type": "CNAME", "ResourceRecords": [{"Value": site}]} for site in ("east", "west"))


class Answer:
    """What moto answers to GetChange, and to a change."""

    def __init__(self, change: str) -> None:
        self.result = {"ChangeInfo": {"Id": change, "Status": "INSYNC"}}


class Names(NameChanges):
    """Those of a zone without moto, on a clock of its own."""

    def __init__(self, in_sync_s: tuple[float, float], seed: int = 0) -> None:
        self.now, self.current = 0.0, RecordSets()
        super().__init__("123456789012", in_sync_s, seed=seed, clock=lambda: self.now)

    def record_sets(self) -> RecordSets:
        return dict(self.current)

    def change(self, *records: dict[str, Any]) -> str:
        before = self.record_sets()
        self.current |= {(str(record["Name"]), "CNAME", None): record for record in records}
        answer: Any = self.made(Answer("/change/moto"), before, self.record_sets())  # type: ignore[arg-type]
        return str(answer.result["ChangeInfo"]["Id"])

    def status(self, change: str) -> str:
        answer: Any = self.answer(Answer(change)).result  # type: ignore[arg-type]
        return str(answer["ChangeInfo"]["Status"])


def test_a_change_of_a_record_is_pending_until_it_is_in_sync() -> None:
    names = Names((30.0, 30.0))
    change = names.change(WEST)
    names.now = 29.9
    assert names.status(change) == "PENDING" and names.status("/change/of-another") == "INSYNC"
    names.now = 30.1
    assert names.status(change) == "INSYNC"
    assert Names((0.0, 0.0)).change(WEST) == "/change/C0000000000001"


def test_how_long_is_drawn_for_each_change_and_again_from_the_same_seed() -> None:
    taken: dict[int, list[float]] = {}
    for seed in (1, 1, 2):
        names = Names((15.0, 45.0), seed)
        for _ in range(50):
            names.change(EAST)
            names.change(WEST)
        drawn = [change["seconds"] for change in names.durations()]
        assert all(15 <= seconds <= 45 for seconds in drawn) and max(drawn) - min(drawn) > 20
        assert taken.setdefault(seed, drawn) == drawn
    assert taken[1] != taken[2]


def test_name_servers_answer_what_was_until_each_change_is_in_sync() -> None:
    names = Names((30.0, 30.0))
    names.current = {(NAME, "CNAME", None): EAST}
    names.change(WEST)
    names.now = 20.0
    other = EAST | {"Name": "other."}
    names.change(other)
    assert names.answered() == [EAST]
    names.now = 31.0
    assert names.answered() == [WEST], "a later change of another name holds nothing up"
    names.now = 51.0
    assert names.answered() == [WEST, other]


def test_of_two_changes_of_a_name_the_older_is_undone_last() -> None:
    names = Names((30.0, 30.0))
    names.current = {(NAME, "CNAME", None): EAST}
    names.change(WEST)
    names.now = 10.0
    names.change(EAST | {"TTL": 1})
    assert names.answered() == [EAST]
    names.now = 35.0
    assert names.answered() == [WEST]


def test_every_delay_of_aws_is_longer_than_the_drills_and_has_a_source() -> None:
    drill, aws = TIMINGS[TimingName.DRILL], TIMINGS[TimingName.AWS]
    assert {field.name for field in fields(Timing)} == set(SOURCES)
    assert all(getattr(aws, name) > getattr(drill, name) for name in SOURCES)
    assert len(described(TimingName.AWS)) == len(SOURCES) and described(TimingName.DRILL) == {}


def test_the_report_says_what_was_drawn_for_the_client_hostname() -> None:
    assert aws_name().startswith("15 to 45 s. Route 53")
    assert aws_name([23.44]).startswith("15 to 45, drawn: 23.4 s. Route 53")


def aws_name(drawn: list[float] | None = None) -> str:
    return described(TimingName.AWS, drawn or [])["name in sync"]
