"""Sentences that are wrong on purpose, to measure what wrong sentences cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mmact_ssl.errors import ConfigError, DataError


def shuffle_sentences(
    sentences: Mapping[str, list[str]], clips: Iterable[str], fraction: float, seed: int
) -> tuple[dict[str, list[str]], list[str]]:
    """Give a share of the clips the sentences of another clip among them.

    The clips are drawn at random, put in a circle in random order, and each gets what the next one
    had: nobody keeps their own, and no sentence is lost or doubled. No label is read, so that
    another clip may well be of the same action, as when captions are mixed up by chance.

    Args:
        sentences: By clip.
        clips: That may be drawn; those without a sentence stay without. The others keep theirs.
        fraction: Of the clips with sentences, above 0 and up to 1, rounded to whole clips.
        seed: Of what is drawn; the order of ``clips`` does not count.

    Returns:
        All sentences, keys in the order in which they came, and the clips that were drawn, sorted.

    Raises:
        ConfigError: No such fraction, or it is a single clip, which has nobody to exchange with.
        DataError: No clip has a sentence.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f'--fraction {fraction}: choose a share above 0, at most 1')
    known = sorted(set(clips) & set(sentences))
    if not known:
        raise DataError(
            f'no clip of --ann is a key of the sentences ({next(iter(sentences), "")!r}, ...): '
            'match them first by `generate_prompts.py file`'
        )
    count = round(fraction * len(known))
    if count < 2:
        raise ConfigError(
            f'--fraction {fraction} of {len(known)} clips are {count}, two at least are exchanged: '
            'choose a larger share'
        )
    circle = [known[i] for i in np.random.default_rng(seed).permutation(len(known))[:count]]
    giver = dict(zip(circle, [*circle[1:], circle[0]]))
    return {name: list(sentences[giver.get(name, name)]) for name in sentences}, sorted(circle)
