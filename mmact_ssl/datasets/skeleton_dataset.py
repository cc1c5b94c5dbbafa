"""Data set of skeleton clips, for pre-training and evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmaction.datasets import BaseActionDataset

from mmact_ssl.datasets.label_subset import drop_labels
from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.prepared_folder import match_names
from mmact_ssl.datasets.seeded_samples import SeededSamples
from mmact_ssl.datasets.skeleton_folder import open_skeleton_folder
from mmact_ssl.datasets.transforms.skeleton.joints import persons_kept, root_at_zero
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.io.files import read_annotation
from mmact_ssl.registry import DATASETS


@DATASETS.register_module()
class SkeletonDataset(SeededSamples, BaseActionDataset):
    """Clips of a prepared skeleton folder, by the names in an annotation file.

    The annotation file has a line ``name label`` or ``name`` (label -1) per clip; blank lines are
    skipped. The class serves pre-training and mmaction2's recognizers. The coordinates stay on disk
    and are mapped into memory, so that workers share them.

    The pipeline gets ``keypoint`` (float32 (M, T, V, C), a copy that may be changed; absent persons
    are all zero; with FormatGCNInput in the pipeline only the first persons, as many as it keeps),
    ``total_frames`` T, ``frame_dir`` and ``filename`` (the clip's name), ``label``, ``layout`` (a
    key of LAYOUTS), ``start_index`` 0, ``modality`` 'Pose' and ``replaced``. With
    ``performance_pattern`` it also gets ``other_camera``: another clip of the performance, drawn
    anew each time, as a dict of these keys, or None if there is none.

    After ``SeedByProgressHook`` has called ``set_progress``, randomness depends on (seed, epoch,
    index), see SeededSamples; before, it comes from the process's own generators.

    Args:
        data_prefix: ``skeleton``: the prepared folder.
        performance_pattern: Regular expression. Clips whose names agree in its groups show the same
            performance, recorded by several cameras at once. Only clips of the annotation file are
            paired. The pipeline must then be empty, which returns the clips unchanged, or begin
            with MakeSkeletonViews and its ``other_camera``.
        **kwargs: As for SeededSamples and mmengine's BaseDataset.
    """

    seeded_from_start = False

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str],
        performance_pattern: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.performance_pattern = performance_pattern
        super().__init__(
            ann_file, pipeline, data_prefix=dict(data_prefix), modality='Pose', **kwargs
        )
        first = next(iter(self.pipeline.transforms), None)
        if performance_pattern and first and not getattr(first, 'other_camera', ()):
            raise ConfigError(
                'performance_pattern: the pipeline must begin with MakeSkeletonViews, with views '
                'in its other_camera; move what stands before it into the lists of the views'
            )

    def load_data_list(self) -> list[dict]:
        """Read the annotation file: name, label, place in the folder and length of each clip."""
        fix = f'run `{self.prepare_command}`' if self.prepare_command else 'see docs/extend/data.md'
        names, labels = read_annotation(self.ann_file, fix)
        self.folder = open_skeleton_folder(self.data_prefix.get('skeleton', ''), fix)
        places = {name: place for place, name in enumerate(self.folder.names.tolist())}
        classes = self.folder.num_classes
        data_list = []
        for name, label in zip(names, labels):
            if name not in places:
                raise DataError(f'{self.ann_file}: clip {name} is not in {self.folder.path}: {fix}')
            if label >= classes:
                raise DataError(
                    f'{self.ann_file}: label {label} of {name} is out of range, '
                    f'{self.folder.path} has {classes} classes: {fix}'
                )
            data_list.append(
                {
                    'frame_dir': name,
                    'filename': name,
                    'label': label,
                    'total_frames': int(self.folder.lengths[places[name]]),
                    'place': places[name],
                }
            )
        drop_labels(data_list, self.label_fraction, self.label_seed)
        self._pair_cameras(data_list)
        return data_list

    def _pair_cameras(self, data_list: list[dict]) -> None:
        """Add ``other_cameras`` to each clip, a list of the other clips of its performance."""
        if self.performance_pattern is None:
            return
        names = [info['filename'] for info in data_list]
        groups = match_names(names, self.performance_pattern, 'performance_pattern')
        performances: dict[tuple, list[dict]] = defaultdict(list)
        for info, group in zip(data_list, groups):
            performances[group].append(info)
        clip_names = [{clip['filename'] for clip in clips} for clips in performances.values()]
        if not self.test_mode and all(len(performance) == 1 for performance in clip_names):
            raise ConfigError(
                f'performance_pattern {self.performance_pattern!r} finds no two clips of one '
                f'performance in {self.ann_file}: its groups must leave out the camera'
            )
        for clips in performances.values():
            plain = [dict(clip) for clip in clips]
            for clip in clips:
                clip['other_cameras'] = [
                    other for other in plain if other['filename'] != clip['filename']
                ]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Read a clip; the class lists its keys."""
        info = super().get_data_info(idx)
        others = info.pop('other_cameras', None)
        if others:
            other = others[np.random.randint(len(others))]
            info['other_camera'] = self._read(info | other)
        elif others is not None:
            info['other_camera'] = None
        return self._read(info)

    def _read(self, info: dict[str, Any]) -> dict[str, Any]:
        """Add the coordinates of the clip that ``info`` describes, and their layout."""
        persons = persons_kept(self.pipeline.transforms)
        info['keypoint'] = self.folder.read(info.pop('place'), persons)
        info['layout'] = self.folder.layout
        return info | root_at_zero(info['keypoint'], LAYOUTS[self.folder.layout])
