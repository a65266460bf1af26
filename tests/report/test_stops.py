"""Of a stop: what a page says of it first, and what of it can be seen once it was gone on from."""

from __future__ import annotations

from typing import Any

import pytest

from report import approval_page, execution_page
from tests.report import sample
from tests.report.test_execution_page import text_of


def test_why_it_stopped_and_what_to_do_stand_before_everything_else(pages: dict[str, str]) -> None:
    page = pages["refused"]
    assert page.index("Why it stopped") < page.index('class="tiles"') < page.index("What to do next")
    text = text_of(page)
    assert "promote_mirrors was refused by west: LinkRejected mirrors:failover answered 403" in text
    assert "Give the key in secret failover/orders/west ALTER on the cluster and its topics; then redrive it." in text
    assert "It stopped at promote_mirrors." in text and "BeginPromote" not in text
    assert "Clients can't work: they are still led to east, which does not answer." in text


@pytest.mark.parametrize(
    ("changes", "can_not", "unknown"),
    [
        ({"votes": []}, False, True),
        ({"kind": "switchover"}, False, False),
        ({"steps": [{"step": "flip_dns", "status": "done"}]}, False, False),
    ],
)
def test_that_clients_can_not_work_is_said_only_where_the_evidence_says_so(
    changes: dict[str, Any], can_not: bool, unknown: bool
) -> None:
    base = sample.whole()["report"]["steps"]
    steps = [dict(base[0]) | step for step in changes.pop("steps", [base[0]])]
    text = text_of(execution_page(sample.stopped(stops=[sample.stop()], **{"steps": steps} | changes)))
    assert ("can't work: they are" in text, "whether they can work there is not known" in text) == (can_not, unknown)


def test_a_redriven_one_tells_that_it_stopped_where_and_for_how_long(pages: dict[str, str]) -> None:
    text = text_of(pages["redriven"])
    assert "stopped 09:45:44 UTC at promote_mirrors (LinkRejected), redriven at 09:45:45 UTC" in text
    assert "stopped 32.0 s 1.00 s waited for a redrive promote_mirrors was refused by west: LinkRejected" in text
    assert "waited for a redrive" not in text_of(pages["failover"])


def test_who_did_not_answer_is_said_once_and_the_library_is_quoted_folded() -> None:
    raw = "service gateway-east of ECS cluster gateways in us-east-2 did not answer: Connection was closed: http://x/"
    whole = sample.whole()
    whole["observed"] |= {
        "fence": {"fleets": {"gateway-east": f"out of reach: {raw}"}},
        "switch_routes:gateway-east": {"out_of_reach": raw},
        "verify": {"left_behind": {"gateway-east": f"out of reach: {raw}"}},
    }
    page = execution_page(whole)
    alert = page[page.index('id="trouble"') : page.index('id="people"')]
    shown, details = alert.split("<details>")
    assert shown.count("gateway-east of ECS cluster gateways in us-east-2 did not answer") == 1
    assert "fence, switch_routes:gateway-east, verify" in shown and "http://" not in shown
    assert details.count("http://x/") == 3 and page.count("http://x/") == 3


def test_long_tables_are_folded_and_open_without_a_script_and_on_paper(pages: dict[str, str]) -> None:
    page = pages["failover"]
    assert "<summary>Loss by partition: 12 rows</summary>" in page
    assert "Loss by topic: 3 rows" not in page, "a short one is not"
    assert "details::details-content { content-visibility: visible" in page.partition("@media print")[2]


def test_a_question_says_since_when_clients_can_not_work_and_how_long_it_waits(pages: dict[str, str]) -> None:
    text = text_of(pages["question"])
    assert "east looks lost since 2026-11-23 09:45:14 UTC: clients can't work until somebody answers." in text
    assert "UTC: about 7 minutes from when this page was loaded" in text
    assert (
        "alarm failover-orders-east-kafka: since 09:45:14 UTC, and said so last at 09:45:18 UTC probe/us-west-2" in text
    )


def test_a_port_that_is_open_is_no_answer_and_an_old_sample_makes_an_estimate_wide() -> None:
    decision = sample.whole()["observed"]["assess"]
    probe = {"site": "east", "service": "gateway", "healthy": True, "took_seconds": 0.1, "why": ""}
    evidence = decision["evidence"] | {"probes": [probe], "signals": []}
    loss = dict(sample.whole()["report"]["loss"] or {})
    old = loss | {"observed": {"records": 3, "from": sample.LOST - 500, "to": sample.LOST - 359}}
    texts = []
    for expected in (loss, old):
        page = approval_page(
            plan="orders",
            execution="orders-7-failover",
            start={"kind": "failover", "from": "east", "to": "west"},
            decision=decision | {"evidence": evidence, "expected_loss": expected},
            until=sample.LOST + 10,
            now=sample.LOST,
        )
        texts.append(text_of(page))
    assert "gateway east takes connections" in texts[0] and "gateway east answers" not in texts[0]
    assert "Whether clients can work on east is not known" in texts[0] and "less than a minute from when" in texts[0]
    assert (
        "wide" not in texts[0] and "(estimated; wide, for the last fresh sample was 6 min old at the loss)" in texts[1]
    )
