"""Search in a user's clips by a video, a skeleton, a feature or a sentence."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from mmact_ssl.apis.clips import Input
from mmact_ssl.apis.feature_index import FeatureIndex, Window
from mmact_ssl.apis.feature_inferencer import FeatureInferencer, mean_of
from mmact_ssl.apis.windows import check_cut
from mmact_ssl.configs.shipped_configs import CONFIGS
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.evaluation.shared_space import SharedSpace

PIECE = 1024  # rows written at a time; a killed call loses no more


class RetrievalInferencer(FeatureInferencer):
    """Index clips once, then find those most similar to a query.

    ``search = RetrievalInferencer('csvr_r3d_demo', 'mine.index')``, ``search.add('my/videos')``,
    ``search('a.mp4')['hits'][0]``.

    Args:
        model: See FeatureInferencer.
        index: Folder of this model's index; a missing one is made.
        window, stride: Windows of the rows, see FeatureInferencer; None: a row a clip.
        device, show_progress, layout, encoder, coordinates: See FeatureInferencer; one layout.
        weights: Hash of random weights, which are refused without one.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Encoder,
        index: str | Path,
        window: float | None = None,
        stride: float | None = None,
        device: str | None = None,
        show_progress: bool = True,
        layout: str = '',
        encoder: str | None = None,
        coordinates: str = '',
        weights: str = '',
    ) -> None:
        check_cut(window, stride)
        self.cut: dict[str, Any] = dict(window=window, stride=stride)
        # Equal cuts have one form.
        windows = None if window is None else [float(window), float(stride or window)]
        super().__init__(model, device, show_progress, layout, encoder, coordinates)
        config = self.encoder.config
        if not (version := self.encoder.sha256 or weights):
            raise ConfigError(f'{config.source}: has random weights: give a model or a checkpoint')
        own = self.layout in ('', config.layout)
        meta: dict[str, Any] = dict(model=version, model_name=self.encoder.name)
        meta.update(encoder=config.record, windows=windows, layout=None if own else layout)
        self.index = FeatureIndex(index, meta)
        self._space: tuple[SharedSpace, Any, Any] | None = None

    def add(self, inputs: Input | Sequence[Input], batch_size: int = 8) -> dict[str, Any]:
        """Embed the clips that are new or have changed, and leave out those that are gone.

        A path identifies a clip. Its file has changed if its size or its time of change has. A clip
        is gone if it was below a folder among the inputs and no longer is. A call continues where a
        killed one ended. One process at a time may add.

        Returns:
            ``added``, ``changed``, ``known`` and ``gone``: counts of clips; ``broken``: reason by
            clip.
        """
        held = dict(self.index.versions)
        clips = self.find_clips(inputs)
        if unnamed := [clip.name for clip in clips if not clip.path]:
            raise ConfigError(f'{unnamed[0]}: an index holds files: save it as .npy')
        listed = {clip.path: clip for clip in clips}
        known = {path for path, clip in listed.items() if held.get(path) == clip.version}
        todo = [clip for path, clip in listed.items() if path not in known]
        windows: list[Window] = []
        values: list[np.ndarray] = []
        paths = {clip.name: clip.path for clip in todo}
        if len(paths) < len(todo):
            twice = next(clip.name for clip in todo if clip.path != paths[clip.name])
            raise ConfigError(f'two clips are named {twice!r}: give each Clip its own name')
        gone = paths_below({clip.source for clip in clips if clip.source}, held) - listed.keys()
        # A folder that cannot be read may still hold its clips.
        gone -= paths_below({clip.path for clip in clips if not any(clip.version)}, gone)
        changed = held.keys() & paths.values()
        self.index.drop(gone | changed)
        self.broken = {}
        versions = {clip.path: clip.version for clip in todo}
        try:
            # Clips that were unreadable before are tried again.
            for clip in self.stream(todo, batch_size, **self.cut, required=not self.index.versions):
                windows += [Window(paths[clip.name], *span) for span in clip.spans.tolist()]
                values.append(clip.values)
                if len(windows) >= PIECE:
                    self.index.add(windows, np.concatenate(values), versions)
                    windows, values = [], []
        finally:
            if windows:
                self.index.add(windows, np.concatenate(values), versions)
        added = paths.values() & self.index.versions.keys()
        return dict(
            added=len(added - changed),
            changed=len(added & changed),
            known=len(known),
            gone=len(gone),
            broken=dict(self.broken),
        )

    def __call__(  # type: ignore[override]
        self,
        inputs: Input | Sequence[Input] | None = None,
        top: int = 10,
        text: str | Sequence[str] | None = None,
        batch_size: int = 8,
    ) -> dict[str, Any]:
        """Find the clips most similar to each query.

        Args:
            inputs: Clips as in a FeatureInferencer, whose mean features are the queries; or
                features, float ``(C,)`` or ``(Q, C)``.
            top: Number of hits for each query.
            text: Sentences in place of clips.
            batch_size: Number of windows in a batch.

        Returns:
            ``queries``: Q names; ``hits``: a list for each query, most similar first, of
            ``dict(name, similarity, start, stop)``; ``broken``.
        """
        if (inputs is None) == (text is None):
            raise ConfigError('search by clips, by features or by text=, one of them')
        if not self.index.versions:
            raise DataError(f'{self.index.path}: holds no clip: first add a folder of clips')
        if top < 1:
            raise ConfigError(f'top={top}: ask for one hit or more')
        self.broken = {}
        if text is not None:
            queries = [text] if isinstance(text, str) else list(text)
            space, project, encoder = self._open_space()
            vectors = space.embed('prompt', encoder.embed(queries).numpy())
            found = self.index.search(vectors, top, project)
        elif isinstance(inputs, np.ndarray) and inputs.ndim <= 2:
            vectors = np.atleast_2d(inputs)
            if not np.isfinite(vectors).all():
                raise DataError('the features to search by are not finite: embed the clips again')
            if vectors.shape[1] != self.encoder.config.feature_dim:
                raise ConfigError(
                    f'the features to search by have {vectors.shape[1]} values, those of '
                    f'{self.encoder.name} have {self.encoder.config.feature_dim}'
                )
            queries = [f'feature {number}' for number in range(len(vectors))]
            found = self.index.search(normalize(vectors), top)
        else:
            clips = list(self.stream(cast(Input, inputs), batch_size, **self.cut))
            queries = [clip.name for clip in clips]
            vectors = np.concatenate([mean_of(clip).values for clip in clips])
            found = self.index.search(normalize(vectors), top)
        hits = [[dict(similarity=value, **row._asdict()) for value, row in rows] for rows in found]
        return dict(queries=queries, hits=hits, broken=dict(self.broken))

    def _open_space(self) -> tuple[SharedSpace, Any, Any]:
        """The projectors of the pre-training, that of features, and the encoder of sentences."""
        if self._space is None:
            saved = self.encoder.student
            card = saved.card
            if card is None or not card.text_encoder:
                raise ConfigError(
                    f'{self.encoder.name} is a backbone alone and reads no sentences: publish its '
                    'C2VL pre-training by mmact-ssl publish --text-encoder'
                )
            from mmact_ssl.models.teachers import build_teacher

            config = CONFIGS / 'teachers' / f'{card.text_encoder}.py'
            encoder = build_teacher(os.fspath(config))
            if encoder.kind != 'text':
                raise ConfigError(f'{config}: reads no sentences, it is {encoder.kind}')
            if card.text_fingerprint not in ('', encoder.fingerprint()):
                raise ConfigError(
                    f'{config}: {card.name} learned from the sentences of another encoder: publish '
                    'it again by --text-encoder with the original one'
                )
            space = SharedSpace(saved)
            self._space = space, partial(space.embed, 'skeleton'), encoder
        return self._space


def paths_below(folders: Collection[str], paths: Iterable[str]) -> set[str]:
    """Choose the paths that are one of the folders, or below one."""
    tops = tuple(os.path.join(folder, '') for folder in folders)
    return {path for path in paths if f'{path}/'.startswith(tops)}
