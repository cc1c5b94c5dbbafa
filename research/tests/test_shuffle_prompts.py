"""Sentences of some clips are exchanged, whole and without a label."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmact_ssl.errors import ConfigError
from research.shuffle_prompts import main, shuffle_sentences

NAMES = [f'a0{number}_clip' for number in range(6)]


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
        with pytest.raises(ConfigError, match='give another'):
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


def test_half_of_the_training_clips_get_wrong_sentences(tmp_path, capsys):
    file, ann, out = tmp_path / 's.json', tmp_path / 'train.txt', tmp_path / 'out' / 'wrong.json'
    sentences = {name: [f'about {name}'] for name in NAMES}
    file.write_text(json.dumps(sentences))
    ann.write_text('\n'.join(f'{name} 0' for name in NAMES[:4]))
    arguments = [str(file), '--fraction', '0.5', '--ann', str(ann), '--out', str(out)]
    main(arguments)
    found = json.loads(out.read_text())
    wrong = [name for name in NAMES if found[name] != sentences[name]]
    assert len(wrong) == 2 and set(wrong) < set(NAMES[:4])
    assert sorted(found.values()) == sorted(sentences.values())
    assert '2 of 4 clips have the sentences of another' in capsys.readouterr().out
    first = out.read_bytes()
    for seed, is_same in (('0', True), ('3', False)):
        main([*arguments, '--seed', seed])
        assert (out.read_bytes() == first) == is_same
