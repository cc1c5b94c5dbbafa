"""Wrong sentences: as many as asked for, each of another clip, none lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.prompts import shuffle_sentences


def made(count: int) -> dict[str, list[str]]:
    """Clips that differ in their sentences, and in how many they have."""
    return {f'clip{i}': [f'sentence {i}.{j}' for j in range(1 + i % 3)] for i in range(count)}


@given(
    count=st.integers(2, 60),
    others=st.integers(0, 5),
    fraction=st.floats(0.05, 1.0),
    seed=st.integers(0, 99),
)
def test_a_share_of_the_clips_exchange_and_the_others_keep_theirs(count, others, fraction, seed):
    sentences = made(count + others)
    clips = [f'clip{i}' for i in range(count)] + ['without a sentence']
    expected = round(fraction * count)
    if expected < 2:
        with pytest.raises(ConfigError, match='choose a larger share'):
            shuffle_sentences(sentences, clips, fraction, seed)
        return
    found, drawn = shuffle_sentences(sentences, clips, fraction, seed)
    changed = {name for name in sentences if found[name] != sentences[name]}
    assert changed == set(drawn) and len(changed) == expected
    assert changed <= set(clips)
    assert list(found) == list(sentences)
    # Whole lists move, each to one clip.
    assert Counter(map(tuple, found.values())) == Counter(map(tuple, sentences.values()))
    again = shuffle_sentences(dict(reversed(sentences.items())), clips[::-1], fraction, seed)
    assert again == (found, drawn), 'order does not count'


def test_the_seed_decides_who_and_with_whom():
    sentences = made(40)
    found = [shuffle_sentences(sentences, sentences, 0.4, seed) for seed in range(5)]
    assert len({tuple(drawn) for _, drawn in found}) == 5
    assert len({str(shuffled) for shuffled, _ in found}) == 5


def test_the_sentences_that_came_are_not_touched():
    sentences = made(10)
    found, _ = shuffle_sentences(sentences, sentences, 1.0, 0)
    for lines in found.values():
        lines.append('more')
    assert sentences == made(10)


def test_what_cannot_be_is_said():
    for fraction in (0.0, -0.1, 1.1):
        with pytest.raises(ConfigError, match='above 0, at most 1'):
            shuffle_sentences(made(9), made(9), fraction, 0)
    with pytest.raises(DataError, match=r"no clip of --ann is a key .*'clip0'"):
        shuffle_sentences(made(9), ['stranger'], 0.5, 0)
