"""Whole lives of a plan: the same seed is the same life, and every promise is kept in all of them."""

from __future__ import annotations

import pytest

from tests.simulation.conftest import Lives


def _kept(lives: Lives, first: int, seeds: int) -> None:
    told = lives.run("--first", str(first), "--seeds", str(seeds))

    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.splitlines()[-1].startswith(f"{seeds} lives, ")
    assert told.stdout.splitlines()[-1].endswith(", 0 broken promises")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, 200, 25))
def test_every_promise_is_kept_in_the_lives_of_fixed_seeds(lives: Lives, first: int) -> None:
    _kept(lives, first, 25)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(200, 500, 25))
def test_every_promise_is_kept_in_five_hundred_lives(lives: Lives, first: int) -> None:
    _kept(lives, first, 25)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(200303, id="somebody else's name follows the second failover, too"),
        pytest.param(200451, id="what another tool wrote last is what name servers answer"),
    ],
)
def test_the_lives_names_lead_where_they_would(lives: Lives, seed: int) -> None:
    _kept(lives, seed, 1)


@pytest.mark.slow
def test_who_takes_over_from_a_switchover_that_was_stopped_behind_its_fence_is_not_held_up_by_that(
    lives: Lives,
) -> None:
    """Kroxylicious that is fenced refuses every connection, also a controller's that looks."""
    _kept(lives, 720213, 1)


@pytest.mark.slow
def test_alarms_that_were_told_of_while_the_ledger_was_silent_are_votes_once_it_answers(lives: Lives) -> None:
    """It says nothing for ten minutes, and Lambda calls again for three: their events end in the dead letters."""
    _kept(lives, 720553, 1)


@pytest.mark.slow
def test_who_is_stopped_as_it_concludes_and_redriven_leads_back_a_name_that_was_led_away(lives: Lives) -> None:
    """A redrive enters the state in which somebody stopped it, minutes after it had proven that clients can work."""
    _kept(lives, 960266, 1)


@pytest.mark.slow
def test_a_switchover_whose_doubts_are_answered_no_more_stands_down(lives: Lives) -> None:
    """A site in doubt was lost as a whole before it could be asked again: nothing said why any more, and every redrive
    stopped there."""
    _kept(lives, 930540, 1)


@pytest.mark.slow
def test_an_answer_in_the_moment_in_which_it_asks_anew_is_taken(lives: Lives) -> None:
    """SNS does not answer, and the question is put again with another token."""
    _kept(lives, 1150116, 1)


@pytest.mark.slow
def test_a_name_that_was_led_back_while_hooks_did_not_answer_is_led_over_again(lives: Lives) -> None:
    """The lost site's gateways lead clients rightly by then, so that its name is proven to work, too."""
    _kept(lives, 1150163, 1)


@pytest.mark.slow
def test_a_seed_is_the_same_life_in_every_process_whatever_was_lived_before(lives: Lives) -> None:
    """12 has two controllers, 14 a name in another cloud, which gives its operations ids."""
    alone = [lives.run("--first", str(seed), "--seeds", "1", "--hashes").stdout.splitlines()[0] for seed in (12, 14)]
    among_others = lives.run("--first", "11", "--seeds", "4", "--hashes", "--processes", "2").stdout.splitlines()

    assert alone == [among_others[1], among_others[3]]
    assert len({line.split()[1] for line in among_others[:4]}) == 4


@pytest.mark.slow
def test_a_life_can_be_read_as_a_story(lives: Lives) -> None:
    told = lives.run("--seed", "1").stdout

    assert "east is lost" in told
    assert "execution orders-1-failover starts" in told
    assert "people are told" in told
