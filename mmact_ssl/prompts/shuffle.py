"""Sentences that are wrong on purpose, to measure what wrong sentences cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mmact_ssl.errors import ConfigError, DataError


def shuffle_sentences(
    sentences: Mapping[str, list[str]], clips: Iterable[str], fraction: float, seed: int
) -> tuple[dict[str, list[str]], list[str]]:
    """Give a share of the clips the sentences of another clip among them.

    The drawn clips are put in a circle in random order, and each gets the sentences of the next
    one: none keeps its own, and no sentence is lost or doubled. No label is read, so the other clip
    may well show the same action, as when captions are mixed up by chance.

    Args:
        sentences: By clip.
        clips: Clips that may be drawn; all others, and those without a sentence, stay as they are.
        fraction: Share of the clips with sentences, 0 < fraction <= 1, rounded to whole clips.
        seed: Of the draw; the order of ``clips`` does not matter.

    Returns:
        All sentences, keys in the order in which they came, and the clips that were drawn, sorted.

    Raises:
        ConfigError: The fraction is out of range, or so small that only one clip is drawn.
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
            f'--fraction {fraction} of {len(known)} clips is {count}, at least two are needed: '
            'choose a larger share'
        )
    circle = [known[i] for i in np.random.default_rng(seed).permutation(len(known))[:count]]
    giver = dict(zip(circle, [*circle[1:], circle[0]]))
    return {name: list(sentences[giver.get(name, name)]) for name in sentences}, sorted(circle)
