"""What skeletons and sentences in one space give for free: classes and clips found by text.

Sentences come embedded, from a cache, so that no text library is needed here. Sentences about
classes name them: they are read by this evaluation alone, never by training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.engine.checkpoint import load_checkpoint_safely
from mmact_ssl.errors import CheckpointError, DataError
from mmact_ssl.evaluation.accuracy import judge
from mmact_ssl.evaluation.features import Features
from mmact_ssl.targets.cache import TargetReader

SIDES = ('skeleton', 'prompt')
# What the configs call the head that reads sentences.
PROMPTS = 'prompts'


class SharedSpace:
    """The two projectors of a prompt matching head, as a pre-training checkpoint holds them.

    Args:
        checkpoint: File of the pre-training, with one :class:`PromptMatchingHead`, or several of
            which one is called ``prompts``. The exported student has none.

    Raises:
        CheckpointError: The file has no such head, or several.
    """

    def __init__(self, checkpoint: str) -> None:
        content = load_checkpoint_safely(checkpoint, 'cpu')
        state = content.get('state_dict', content)
        tasks = sorted(
            {
                key.split('.')[1]
                for key in state
                if key.startswith('heads.') and key.split('.')[2] == 'prompt_projector'
            }
        )
        if PROMPTS in tasks:
            tasks = [PROMPTS]  # others match with something else than sentences
        if len(tasks) != 1:
            raise CheckpointError(
                f'{checkpoint}: holds {len(tasks)} heads that match skeletons with sentences '
                f'({tasks}), wanted one, or {PROMPTS!r}: give the checkpoint of a C2VL '
                'pre-training, not an exported student'
            )
        self.projectors = {
            side: _projector(checkpoint, state, f'heads.{tasks[0]}.{side}_projector.')
            for side in SIDES
        }
        self.checkpoint = checkpoint

    @torch.no_grad()
    def embed(self, side: str, values: np.ndarray) -> np.ndarray:
        """Project features of skeletons or embeddings of sentences.

        Args:
            side: ``'skeleton'`` or ``'prompt'``.
            values: ``[N, C]``.

        Returns:
            float64 ``[N, E]``, rows of length 1.

        Raises:
            DataError: The values are of another size than the projector was trained with.
            CheckpointError: What comes out are no numbers, as of a training that diverged.
        """
        projector = self.projectors[side]
        expected = projector.in_channels
        if values.shape[1] != expected:
            fix = {
                'skeleton': 'use the downstream config of the encoder that was pre-trained',
                'prompt': 'use the text encoder of the pre-training',
            }[side]
            raise DataError(
                f'{self.checkpoint}: its {side} projector reads {expected} values, there are '
                f'{values.shape[1]}: {fix}'
            )
        rows = torch.as_tensor(values, dtype=torch.float64)
        if side == 'prompt':  # as the head reads them
            rows = F.normalize(rows, dim=1)
        embedded = F.normalize(projector(rows), dim=1)
        # NaN is above and below nothing: comparisons would take it for the best or worst.
        if not embedded.isfinite().all():
            raise CheckpointError(
                f'{self.checkpoint}: its encoder or its {side} projector gives numbers that are '
                'not finite, so that the training has diverged: train again, e.g. with a smaller '
                'learning rate'
            )
        return embedded.numpy()


def _projector(checkpoint: str, state: dict[str, Tensor], prefix: str) -> Any:
    """Build a head's projector of as many streams, and of the sizes, that the weights have."""
    from mmact_ssl.models.networks.projector import StreamProjectors

    own = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    if '0.0.weight' not in own:
        raise CheckpointError(
            f'{checkpoint}: its {prefix.rstrip(".")} has {sorted(own)}, as in an earlier version '
            'of this package: pre-train again'
        )
    streams = len({key.split('.')[0] for key in own})
    hidden, inputs = own['0.0.weight'].shape
    split = prefix.endswith('skeleton_projector.')
    projector = StreamProjectors(
        inputs * (streams if split else 1), hidden, len(own['0.2.weight']), streams, split
    )
    projector.load_state_dict(own)
    return projector.double().eval()


def evaluate_zeroshot(
    test: Features, space: SharedSpace, texts: str, classes: Sequence[str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Give each clip the class whose sentences it is most similar to; nothing is trained.

    A class is the mean of its sentences' directions in the shared space.

    Args:
        test: Features of the test split.
        space: Of the pre-training.
        texts: Text cache keyed by class name.
        classes: Names in the order of the labels.

    Returns:
        As :func:`mmact_ssl.evaluation.accuracy.judge`.

    Raises:
        DataError: The cache lacks a class.
    """
    reader = _open(texts)
    missing = [name for name in classes if name not in reader]
    if missing:
        raise DataError(
            f'{texts}: no sentence about {len(missing)} of {len(classes)} classes, e.g. '
            f'{missing[0]!r}; it has {reader.keys()[:3]}: key the sentences by the lines of '
            'classes.txt'
        )
    centers = np.stack([space.embed('prompt', reader.get(name)).mean(axis=0) for name in classes])
    centers /= np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-12)
    return judge(test.labels, space.embed('skeleton', test.values) @ centers.T, len(classes))


def evaluate_text_retrieval(
    test: Features,
    space: SharedSpace,
    texts: str,
    names: Sequence[str],
    topk: Sequence[int] = (1, 5, 10),
) -> tuple[dict[str, float], dict[str, Any]]:
    """Let each sentence about a test clip search its clip among all test clips.

    Args:
        test: Features of the test split, the gallery.
        space: Of the pre-training.
        texts: Text cache keyed by clip name.
        names: Of the clips, in the order of the features.
        topk: Numbers of neighbors.

    Returns:
        ``recall@k``, 0..1, the mean over clips of the share of their sentences that find them
        among the k most similar; and details: numbers of clips and of clips without a sentence.

    Raises:
        DataError: No clip has a sentence.
    """
    shares: list[list[float]] = []
    for position, _, similarity in _similarities(test, space, texts, names):
        # Clips that are as similar count before it: a collapsed space finds nothing. So do those
        # that cannot be compared.
        rank = (~(similarity < similarity[:, [position]])).sum(axis=1)
        shares.append([float((rank <= k).mean()) for k in topk])
    metrics = {f'recall@{k}': share for k, share in zip(topk, np.mean(shares, axis=0).tolist())}
    return metrics, {'clips': len(names), 'without_sentence': len(names) - len(shares)}


@dataclass(frozen=True)
class TextSearch:
    """What one sentence about a test clip finds.

    Attributes:
        position: Of the clip that it is about, in the order of the features.
        key: Of that clip in the text cache.
        sentence: Which of the clip's, from 0.
        nearest: int ``[k]``, positions of the most similar clips, the nearest first.
        similarity: ``[k]``, their cosines.
    """

    position: int
    key: str
    sentence: int
    nearest: np.ndarray
    similarity: np.ndarray


def search_by_text(
    test: Features,
    space: SharedSpace,
    texts: str,
    names: Sequence[str],
    count: int,
    top: int,
    seed: int = 0,
) -> list[TextSearch]:
    """Let some sentences search, as :func:`evaluate_text_retrieval` lets all.

    Args:
        test, space, texts, names: As there.
        count: Of clips drawn, all if there are fewer; of each one sentence is drawn.
        top: Number of clips to find, all if there are fewer.
        seed: Of what is drawn.

    Raises:
        DataError: No clip has a sentence.
    """
    rows = list(_similarities(test, space, texts, names))
    generator = np.random.default_rng(seed)
    found = []
    for row in generator.permutation(len(rows))[:count]:
        position, key, similarity = rows[row]
        sentence = int(generator.integers(len(similarity)))
        own = np.arange(len(names)) == position
        # Among equals the own clip comes last, as in the numbers.
        nearest = np.lexsort((own, -similarity[sentence]))[:top]
        found.append(TextSearch(position, key, sentence, nearest, similarity[sentence, nearest]))
    return found


def _similarities(
    test: Features, space: SharedSpace, texts: str, names: Sequence[str]
) -> Iterator[tuple[int, str, np.ndarray]]:
    """Position and key of each clip with sentences; cosines of these and all clips, ``[S, N]``."""
    reader, known = _open(texts), False
    gallery = space.embed('skeleton', test.values)  # [N, E]
    for position, name in enumerate(names):
        (key,) = reader.lookup_all([name])
        if key is not None:
            known = True
            yield position, key, space.embed('prompt', reader.get(key)) @ gallery.T
    if not known:
        raise DataError(f'{texts}: no sentence about any of the {len(names)} test clips')


def _open(texts: str) -> TargetReader:
    reader = TargetReader(texts, command='python tools/extract_targets.py CONFIG --sentences FILE')
    if reader.meta.kind != 'text':
        raise DataError(f'{texts}: holds {reader.meta.kind!r}, wanted sentences: give a text cache')
    return reader
