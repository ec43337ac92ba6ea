from storage.contracts import Turn
from storage.presets import Presets
from training.data import seed_corpus, seed_pairs
from training.data.seed_corpus import SeedRow


def row(emotion: str, intensity: int, reply: str, message: str = "привет") -> SeedRow:
    return SeedRow("a.txt", 1, "тест", "ты", (Turn(role="user", text=message),), emotion, intensity, reply)


def test_the_better_reply_has_the_asked_emotion_and_the_worse_one_another(
    seed_rows: list[SeedRow], presets: Presets
) -> None:
    written = {(one.turns, one.reply): one for one in seed_rows}
    found = list(seed_pairs.pairs(seed_rows, presets))
    assert len(found) > 0.99 * len(seed_rows)
    for pair in found:
        chosen, rejected = written[pair.prompt, pair.chosen], written[pair.prompt, pair.rejected]
        assert presets.get(pair.emotion or "").title == chosen.emotion != rejected.emotion
        assert pair.intensity == chosen.intensity


def test_held_out_messages_stay_held_out(seed_rows: list[SeedRow], presets: Presets) -> None:
    train, held = seed_corpus.split(seed_rows)
    learned = {pair.prompt for pair in seed_pairs.pairs(train, presets)}
    assert learned.isdisjoint(pair.prompt for pair in seed_pairs.pairs(held, presets))


def test_a_pair_depends_on_its_own_message_alone(presets: Presets) -> None:
    here = [row("радость", 2, "Ура!"), row("грусть", 2, "Эх."), row("злость", 1, "Тьфу ты.")]
    there = [row("радость", 1, "Отлично!", "как дела"), row("страх", 1, "Ой.", "как дела")]
    alone = list(seed_pairs.pairs(here, presets, seed=3))
    assert alone == [pair for pair in seed_pairs.pairs(there + here, presets, seed=3) if pair.prompt == here[0].turns]


def test_several_worse_replies_are_different_ones(presets: Presets) -> None:
    rows = [row("радость", 2, "Ура!"), row("грусть", 2, "Эх."), row("злость", 1, "Тьфу ты.")]
    found = list(seed_pairs.pairs(rows, presets, per_reply=5))
    assert sorted((pair.chosen, pair.rejected) for pair in found) == [
        ("Тьфу ты.", "Ура!"),
        ("Тьфу ты.", "Эх."),
        ("Ура!", "Тьфу ты."),
        ("Ура!", "Эх."),
        ("Эх.", "Тьфу ты."),
        ("Эх.", "Ура!"),
    ]


def test_intensity_can_be_what_the_worse_reply_misses(presets: Presets) -> None:
    rows = [row("радость", 1, "Хорошо."), row("радость", 3, "Ура!!!"), row("грусть", 2, "Эх.")]
    found = list(seed_pairs.pairs(rows, presets, contrast="intensity"))
    assert [(pair.intensity, pair.chosen, pair.rejected) for pair in found] == [
        (1, "Хорошо.", "Ура!!!"),
        (3, "Ура!!!", "Хорошо."),
    ]


def test_the_worse_reply_can_answer_something_else(seed_rows: list[SeedRow], presets: Presets) -> None:
    rows = seed_rows[:1500]
    written = {one.reply: one for one in rows}
    found = list(seed_pairs.pairs(seed_corpus.reworded(rows), presets, contrast="message"))
    assert {pair.prompt for pair in found} >= {
        (*one.turns[:-1], Turn(role="user", text=wording)) for one in rows for wording in one.wordings
    }
    for pair in found:
        chosen, rejected = written[pair.chosen], written[pair.rejected]
        assert chosen.turns != rejected.turns
        assert (chosen.emotion, chosen.intensity, chosen.held_out) == (
            rejected.emotion,
            rejected.intensity,
            rejected.held_out,
        )
        assert pair.tags["split"] == ("held_out" if chosen.held_out else "train")
