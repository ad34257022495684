"""The passage that a question needs but never names."""

from __future__ import annotations

import numpy as np
import pytest

from hippo_agent.relational.association import AssociationConfig, associate, named_topics, rank
from hippo_agent.relational.passages import Mention, PassageIndex
from hippo_agent.relational.words import words

FILM = "Gaby (film)\nGaby is a 1987 drama. It was directed by Luis Mandoki. The music is by Maurice Jarre."
DIRECTOR = "Luis Mandoki\nLuis Mandoki is a director. He was born in Mexico City."
COMPOSER = "Maurice Jarre\nMaurice Jarre wrote music for films. He was born in Lyon."
OTHER = "Old Town\nOld Town is a place in Maine. Many people were born there."
QUESTION = "Where was the director of the film Gaby born?"

# One axis for "directed by", one for "music by", one for everything else.
DIRECTED, MUSIC, REST = np.eye(3, dtype=np.float32)
ASKED = DIRECTED


def build(texts: list[str]) -> PassageIndex:
    index = PassageIndex()
    for seq, text in enumerate(texts, start=10):
        row = index.add(seq, text)
        passage = index.passage(row)
        said = [text[a:b] for a, b in passage.spans]
        vectors = [DIRECTED if "directed" in s else MUSIC if "music is" in s else REST for s in said]
        index.set_vectors(row, np.stack(vectors))
    return index


DEFAULT = AssociationConfig()


def ranking(index: PassageIndex, config: AssociationConfig = DEFAULT) -> list[int]:
    scores, _ = rank(index, QUESTION, vector=ASKED, similarity=np.zeros(index.rows, dtype=np.float32), config=config)
    return [int(index.seqs()[row]) for row in np.argsort(-scores, kind="stable")]


def test_the_link_whose_sentence_answers_the_question_wins() -> None:
    index = build([FILM, COMPOSER, OTHER, DIRECTOR])
    assert set(ranking(index)[:2]) == {10, 13}


def test_without_the_sentence_both_links_are_worth_the_same() -> None:
    """The ablation: director and composer are linked alike, and the composer stands first in the index."""
    index = build([FILM, COMPOSER, OTHER, DIRECTOR])
    blind = ranking(index, AssociationConfig(relevance=False, gain=False))
    assert blind.index(13) > ranking(index).index(13)


def test_incoming_links_are_off_unless_asked_for() -> None:
    """The film names the director; from the director's page only an incoming link leads back."""
    index = build([DIRECTOR, FILM])
    base = np.array([1.0, 0.0], dtype=np.float32)
    nothing = np.zeros(2, dtype=np.float32)

    def kinds(config: AssociationConfig) -> list[str]:
        found = associate(
            index, "Luis Mandoki directed?", base=base, vector=ASKED, similarity=nothing, named=nothing, config=config
        )
        return [link.kind for link in found.links.values()]

    assert kinds(AssociationConfig(shared=0.0, seeds=1)) == []
    assert kinds(AssociationConfig(shared=0.0, seeds=1, incoming=0.5)) == ["in"]


def test_the_link_says_over_which_name_and_by_which_sentence() -> None:
    index = build([FILM, COMPOSER, OTHER, DIRECTOR])
    _, found = rank(index, QUESTION, vector=ASKED, similarity=np.zeros(4, dtype=np.float32))
    link = found.links[3]
    assert (link.source, link.kind, link.name, link.sentence) == (0, "out", ("luis", "mandoki"), (0, 1))


def test_rows_that_may_not_be_seen_neither_give_nor_take() -> None:
    index = build([FILM, DIRECTOR])
    hidden = np.array([1.0, -np.inf], dtype=np.float32)
    found = associate(index, QUESTION, base=hidden, vector=ASKED, similarity=np.zeros(2, dtype=np.float32))
    assert found.bonus[1] == 0.0
    found = associate(index, QUESTION, base=-hidden[::-1], vector=ASKED, similarity=np.zeros(2, dtype=np.float32))
    assert not found.links


def test_the_bracket_settles_which_heading_is_meant() -> None:
    index = build(["Dark River (1990 film)\nA drama.", "Dark River (2017 film)\nA drama."])
    question = "Who directed Dark River (2017 film)?"
    assert named_topics(index, words(question), question) == pytest.approx([0.15, 1.0])
    assert named_topics(index, words("Who directed dark river"), "Who directed dark river") == pytest.approx([0.5, 0.5])


def test_adding_and_removing_leaves_the_index_as_if_it_were_never_there() -> None:
    index = build([FILM, DIRECTOR])
    fresh = build([FILM, DIRECTOR])
    row = index.add(99, COMPOSER)
    assert index.find(("maurice", "jarre"), limit=9) == [Mention(0, 2), Mention(row, 0)]
    index.remove(99)
    index.remove(99)
    assert index.find(("maurice", "jarre"), limit=9) == fresh.find(("maurice", "jarre"), limit=9) == [Mention(0, 2)]
    assert index.about(("maurice", "jarre")) == ()
    assert index.idf("director") == fresh.idf("director")
    assert index.seqs().tolist() == [10, 11, -1]


def test_adding_a_seq_again_replaces_it() -> None:
    index = build([FILM])
    index.add(10, DIRECTOR)
    assert len(index) == 1
    assert index.about(("gaby",)) == ()
    assert index.find(("mexico", "city"), limit=5) == [Mention(1, 1)]


def test_sentence_vectors_of_the_wrong_number_are_refused() -> None:
    index = PassageIndex()
    row = index.add(1, FILM)
    with pytest.raises(ValueError, match="expected 3 sentence vectors"):
        index.set_vectors(row, np.zeros((2, 3), dtype=np.float32))


def test_an_empty_index_ranks_nothing() -> None:
    scores, found = rank(PassageIndex(), QUESTION, vector=ASKED, similarity=np.zeros(0, dtype=np.float32))
    assert scores.shape == (0,)
    assert not found.links
