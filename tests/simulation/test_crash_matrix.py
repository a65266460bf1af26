"""One fault at any outgoing call of any function: it ends as without the fault, and nothing stops."""

from __future__ import annotations

import json

import pytest

from tests.simulation.conftest import Lives

FUNCTIONS = {
    "announce",
    "answer_approval",
    "assess",
    "check_offsets",
    "check_readiness",
    "claim",
    "conclude",
    "create_groups",
    "drain_mirrors",
    "fence",
    "flip_dns",
    "judge",
    "measure_divergence",
    "precheck",
    "precheck_restore",
    "promote_mirrors",
    "request_approval",
    "restore_mirrors",
    "reverse_mirrors",
    "sample_lag",
    "serve_operators",
    "sweep_ledger",
    "switch_routes",
    "sync_offsets",
    "verify",
    "watch_site",
}
MAY_GIVE_UP = {
    *("precheck", "fence", "drain_mirrors", "reverse_mirrors"),
    *("precheck_restore", "measure_divergence", "restore_mirrors", "switch_routes"),
}
"""A switchover and a restore are given up when in doubt, and put back, before their point of no return."""
SAMPLED = 60
"""One case of so many is in `make test`."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_single_fault_changes_no_end(lives: Lives) -> None:
    tried = lives.run("--json", "--one-in", str(SAMPLED), module="simulation.crash_matrix")
    assert tried.returncode == 0, tried.stderr
    counts = json.loads(tried.stdout)
    assert counts["all"]["tried"] == counts["all"]["ended as without"] + counts["all"]["given up"] > 100
    assert counts["all"]["stopped"] == 0
    assert sum(counts[function]["given up"] for function in FUNCTIONS - MAY_GIVE_UP) == 0
    assert counts.keys() - {"all"} == FUNCTIONS


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_no_single_fault_at_any_call_changes_an_end(lives: Lives) -> None:
    tried = lives.run("--json", module="simulation.crash_matrix", timeout=3500)
    assert tried.returncode == 0, tried.stderr
    assert json.loads(tried.stdout)["all"]["stopped"] == 0
