"""Names are nouns of the field: the words that name nothing become fewer, never more."""

from __future__ import annotations

import pytest

from bench import vocabulary


@pytest.mark.parametrize("folder", vocabulary.CEILINGS)
def test_a_folder_binds_no_more_of_the_words_than_it_may(folder: str) -> None:
    places = vocabulary.bindings(folder)
    assert len(places) <= vocabulary.CEILINGS[folder], "\n".join(map(str, places))


def test_every_kind_of_binding_is_counted_and_no_use_of_a_name() -> None:
    source = """
import module as held
class Found:
    told: str
    def seen(self, asked): self.left = asked
for each in unbound: pass
def work(*given, taken=None, **wanted): return [known for known in given]
try: pass
except OSError as said: pass
match unbound:
    case [first, *kept]: pass
    case other: pass
"""
    assert {name for _, name in vocabulary.names_bound(source)} == {
        *("held", "Found", "told", "seen", "self", "asked", "left", "each", "work", "given", "taken", "wanted"),
        *("known", "said", "first", "kept", "other"),
    }


@pytest.mark.parametrize("name", ["left_behind", "_Held", "HISTORY_KEPT_S", "not_asked", "AlarmSeen", "each"])
def test_a_word_is_known_as_a_part_of_a_name(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("source")
    (folder / "module.py").write_text(f"{name} = 1\nbreached = theft = beheld = 1\n")
    assert [binding.name for binding in vocabulary.bindings(str(folder))] == [name]
