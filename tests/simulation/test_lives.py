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
@pytest.mark.parametrize(
    "seed",
    [
        # Kroxylicious that is fenced refuses every connection, also a controller's that looks.
        pytest.param(720213, id="who takes over from a switchover stopped behind its fence is not held up by that"),
        # It says nothing for ten minutes, and Lambda calls again for three: their events end in the dead letters.
        pytest.param(720553, id="alarms that were told of while the ledger was silent are votes once it answers"),
        # A redrive enters the state in which somebody stopped it, minutes after it had proven that clients can work.
        pytest.param(960266, id="who is stopped as it concludes and redriven leads back a name that was led away"),
        # A site in doubt was lost as a whole before it could be asked again: nothing said why any more.
        pytest.param(930540, id="a switchover whose doubts are answered no more stands down"),
        # It answers for no secret for a minute, and a fenced fleet is deployed meanwhile as it was.
        pytest.param(1351493, id="a fence that another tool lifts is put up again before anything is reversed"),
        # East was mirrored again, then led back to in a disaster of west, which nobody restored in the two days since.
        pytest.param(2000104, id="clients are not led to a standby that was promoted days ago"),
        # Its fleets led to east, the name and the ledger to west, when a failover took over, which nobody had forced.
        pytest.param(2200666, id="who takes over from a switchover past its point of no return goes on"),
        # SNS does not answer, and the question is put again with another token.
        pytest.param(1150116, id="an answer in the moment in which it asks anew is taken"),
        # The lost site's gateways lead clients rightly by then, so that its name is proven to work, too.
        pytest.param(1150163, id="a name that was led back while hooks did not answer is led over again"),
    ],
)
def test_what_lives_found_once_is_mended(lives: Lives, seed: int) -> None:
    _kept(lives, seed, 1)


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
