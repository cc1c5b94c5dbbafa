"""Search for test clips by sentences, for a gallery."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.skeleton_folder import SkeletonFolder, open_skeleton_folder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.data import read_splits
from mmact_ssl.evaluation.features import extract_features
from mmact_ssl.evaluation.protocols.text_retrieval import similarities
from mmact_ssl.evaluation.shared_space import SharedSpace
from mmact_ssl.evaluation.student import build_recognizer, with_saved_backbone
from mmact_ssl.prompts.frames import draw_skeletons
from mmact_ssl.prompts.sentence_file import hash_sentences, read_sentences
from mmact_ssl.saved_run import SavedRun
from mmact_ssl.targets.cache import TargetReader
from mmact_ssl.visualization.gallery import Hit


def text_gallery(
    cfg: Config,
    student: SavedRun,
    texts: str,
    sentences: str,
    queries: int = 6,
    top: int = 5,
    frames: int = 5,
    seed: int = 0,
    options: Sequence[str] | None = None,
) -> tuple[list[str], list[list[Hit]]]:
    """Search test clips by sentences, as in the protocol ``text-retrieval``.

    Args:
        cfg: Downstream config of skeletons.
        student: A pre-training with sentences.
        texts: Cache of their embeddings, keyed by clip name.
        sentences: The JSON file of the cache's sentences. An imported cache does not record its
            sentences: then a warning is logged, and only missing sentences are an error.
        queries: Number of sentences, each about another clip.
        top: Number of clips for each sentence.
        frames: Number of frames of a clip, side by side.
        seed: Seed of the choice of sentences.
        options: Words of ``--cfg-options`` in the config.

    Returns:
        The sentences, each with the name of its clip; and for each its clips, nearest first.
    """
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    _, test = read_splits(cfg)
    if not test.skeletons:
        raise ConfigError(f'{cfg.filename}: the gallery draws skeletons, its clips are videos')
    written = read_sentences(sentences)
    cfg = with_saved_backbone(cfg, student, options=options)
    features = extract_features(cfg, build_recognizer(cfg, 0, student), {'test': test})['test']
    space = SharedSpace(student)
    folder = open_skeleton_folder(test.root, 'see docs/extend/data.md')
    rows = list(similarities(features, space, texts, test.names))
    generator = np.random.default_rng(seed)
    drawn = [rows[row] for row in generator.permutation(len(rows))[:queries]]
    source_hash = TargetReader(texts).source_hash(key for _, key, _ in drawn)
    if not all(source_hash.values()):
        print_log(
            f'{texts} does not record its sentences, those of {sentences} may be others: run '
            'tools/extract_targets.py --sentences again to be sure',
            logger='current',
            level=logging.WARNING,
        )
    titles, hits = [], []
    for place, key, cosines in drawn:
        sentence = int(generator.integers(len(cosines)))
        lines = written.get(key, [])
        differ = source_hash[key] not in ('', hash_sentences(lines))
        if differ or sentence >= len(lines):
            raise DataError(
                f'{sentences}: has other sentences about {key!r} than {texts}: give the file that '
                'the cache was made of'
            )
        titles.append(f'“{lines[sentence]}” ({test.names[place]})')
        row = []
        # Among equal cosines the own clip comes last, as in the protocol.
        own = np.arange(len(test.names)) == place
        for position in np.lexsort((own, -cosines[sentence]))[:top].tolist():
            same = test.labels[position] == test.labels[place]
            mark = 'clip' if position == place else 'class' if same else ''
            name = test.names[position]
            similarity = float(cosines[sentence, position])
            row.append(Hit(name, _strip(folder, name, frames), mark, similarity))
        hits.append(row)
    return titles, hits


def _strip(folder: SkeletonFolder, name: str, frames: int) -> np.ndarray:
    """Frames of a clip side by side, uint8 ``(H, frames * H, 3)``."""
    clip = folder.read(folder.places()[name])
    return np.concatenate(draw_skeletons(clip, LAYOUTS[folder.layout], frames), axis=1)
