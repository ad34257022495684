"""Coverage: how much of what the cue asks for is said in a trace, word by word.

A word is covered by words of the same stem as in BM25: better in a shorter text. A question's word is also covered by a
word that is alike (the cosine of their vectors), or, at a discount, by the turns around: people answer "In Lisbon." to
a question that named the subject. In a fragment each word is evidence, so it also counts how often a word occurs, and
the very same form is worth a little more than the stem.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hippo_agent.episodic.codes import Codes, slot_similarity
from hippo_agent.recall.config import RecallConfig
from hippo_agent.recall.lexicon import Lexicon, Lines
from hippo_agent.recall.query import DateTerm, Query, Term
from hippo_agent.recall.vocabulary import Ids, Vocabulary
from hippo_agent.recall.words import is_exact
from hippo_agent.storage.base import Seqs
from hippo_agent.storage.columns import Columns
from hippo_agent.types import SLOT_NAMES

__all__ = ["cover", "in_order", "is_quoted", "told", "windowed"]

Matrix = NDArray[np.float32]  # [terms, m] shares

QUOTED = 4  # words that a cue must have to be taken for a piece of a text that has them all
K1, B = 0.5, 0.5  # BM25's saturation and length norm
SAME_MONTH, SAME_DAY = 0.6, 0.9  # cosine of "when" codes that share no more than the month, and that share the day


def cover(
    query: Query, lines: Lines, positions: Seqs, columns: Columns, lexicon: Lexicon, config: RecallConfig
) -> Matrix:
    """[terms + dates, m]: the share of each that each candidate itself covers; a little over 1 in a very short text."""
    rows = np.zeros((len(query.terms) + len(query.dates), len(positions)), dtype=np.float32)
    if not len(positions) or not len(rows):
        return rows
    seen = np.zeros(len(lexicon.vocabulary), dtype=np.bool_)  # cheaper than np.unique, which sorts
    seen[lines.ids] = True
    used = np.flatnonzero(seen).astype(np.int32)  # words of all lines
    place = (np.cumsum(seen) - 1)[lines.ids]  # and where each word of the lines stands among them
    stems = lexicon.vocabulary.stems(used)
    alike = _alike(query.terms, used, lexicon.vocabulary) if query.question and config.alike else None
    norm = (K1 * (1.0 - B + B * lines.lengths / max(1.0, lexicon.mean_length))).astype(np.float32)
    for at, term in enumerate(query.terms):
        worth = _exact(term, used, stems, lexicon.vocabulary, config, surface=not query.question)
        found = (_best if query.question else _sum)(worth[place], lines)
        rows[at] = found / (found + norm) * (1.0 + K1)
        if alike is not None and not term.common:
            rows[at] = np.maximum(rows[at], np.float32(config.alike) * _best(alike[at][place], lines))
        if query.question:
            for code in term.speakers:
                rows[at, columns.speaker[positions] == code] = 1.0
    for at, date in enumerate(query.dates, len(query.terms)):
        rows[at] = np.maximum(date.near[positions], told(date, lines, positions, columns, lexicon))
    return rows


def windowed(own: Matrix, around: NDArray[np.int64], config: RecallConfig) -> Matrix:
    """[terms, m]: the best of a trace's own coverage and, at a discount, of the turns around it."""
    best: Matrix = own.copy()
    for column, share in ((0, config.before_last), (1, config.before), (2, config.after)):
        if share:
            there = around[:, column]
            np.maximum(best, np.where(there >= 0, np.float32(share) * own[:, there], np.float32(0.0)), out=best)
    return best


def in_order(cue: Sequence[int], line: Ids) -> float:
    """In [0, 1]: the share of the cue's words (ids) that a line has in the same order."""
    at = found = 0
    for word in cue:
        later = np.flatnonzero(line[at:] == word)
        if len(later):
            at += int(later[0]) + 1
            found += 1
    return found / len(cue) if cue else 0.0


def is_quoted(cue: Ids, lines: Lines) -> bool:
    """Whether a line has all the words of the cue (ids; at least four) in the same order: the cue is a piece of it."""
    if len(cue) < QUOTED or (cue < 0).any():
        return False
    holds = lines.lengths >= len(cue)
    for word in np.unique(cue):
        if not holds.any():
            return False
        holds &= _best((lines.ids == word).astype(np.float32), lines) > 0.0
    return any(in_order(cue.tolist(), lines.line(int(at))) == 1.0 for at in np.flatnonzero(holds))


def _exact(
    term: Term, used: Ids, stems: Ids, vocabulary: Vocabulary, config: RecallConfig, *, surface: bool
) -> NDArray[np.float32]:
    """[used words]: 1 where the word has the term's stem, less where only a slip away or in another form."""
    worth = (stems == term.stem).astype(np.float32)
    if surface and config.surface and not term.fixed and not is_exact(term.word):
        worth *= np.where(used == vocabulary.id(term.word), 1.0, 1.0 - config.surface)
    if term.fixed_stems:
        worth = np.maximum(worth, np.float32(config.spelling) * np.isin(stems, term.fixed_stems))
    out: NDArray[np.float32] = worth.astype(np.float32)
    return out


def _alike(terms: Sequence[Term], used: Ids, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """[terms, used words]: cosine of the words' vectors; what is specific (a number, a month) is like nothing else."""
    plain = vocabulary.specific(used)
    found = np.zeros((len(terms), len(used)), dtype=np.float32)
    asked = [at for at, term in enumerate(terms) if not term.common and not is_exact(term.word)]
    if asked and plain.any():
        rows = np.array(asked)[:, None]
        found[rows, np.flatnonzero(plain)] = vocabulary.alike([terms[at].word for at in asked], used[plain])
    return found


def _best(worth: NDArray[np.float32], lines: Lines) -> NDArray[np.float32]:
    """[m]: the largest value in each line, 0 for a line without words."""
    return _reduced(np.maximum, worth, lines)


def _sum(worth: NDArray[np.float32], lines: Lines) -> NDArray[np.float32]:
    return _reduced(np.add, worth, lines)


def _reduced(how: np.ufunc, worth: NDArray[np.float32], lines: Lines) -> NDArray[np.float32]:
    out = np.zeros(len(lines.lengths), dtype=np.float32)
    filled = lines.lengths > 0
    if filled.any():
        out[filled] = how.reduceat(worth, lines.starts[filled])
    return out


def _said(date: DateTerm, lines: Lines, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """[m]: 1 where a line says all words of the date."""
    said = np.ones(len(lines.lengths), dtype=np.float32)
    for word in date.words:
        said = np.minimum(said, _best((lines.ids == vocabulary.id(word)).astype(np.float32), lines))
    return said if date.words else np.zeros_like(said)


def told(date: DateTerm, lines: Lines, positions: Seqs, columns: Columns, lexicon: Lexicon) -> NDArray[np.float32]:
    """[m] in [0, 1]: whether a trace tells of that date, in words or by its "when" slot."""
    return np.maximum(_said(date, lines, lexicon.vocabulary), _dated(date, columns.slot_codes[positions]))


def _dated(date: DateTerm, codes: Codes) -> NDArray[np.float32]:
    """[m]: how surely a "when" code holds that date; dates of the same month are not enough."""
    if not codes.shape[1]:
        return np.zeros(len(codes), dtype=np.float32)
    mask = np.array([name == "when" for name in SLOT_NAMES])
    cosine = slot_similarity(date.code, codes, mask)
    held: NDArray[np.float32] = np.clip((cosine - SAME_MONTH) / (SAME_DAY - SAME_MONTH), 0.0, 1.0).astype(np.float32)
    return held
