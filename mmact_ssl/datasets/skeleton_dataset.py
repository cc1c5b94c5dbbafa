"""Skeleton clips to pre-train on and to evaluate with."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmaction.datasets import BaseActionDataset

from mmact_ssl.datasets.seeded_samples import SeededSamples, build_pipeline
from mmact_ssl.datasets.skeleton_folder import SkeletonFolder, open_skeleton_folder
from mmact_ssl.errors import DataError
from mmact_ssl.registry import DATASETS


@DATASETS.register_module()
class SkeletonDataset(SeededSamples, BaseActionDataset):
    """Clips of a prepared skeleton folder, by the names in an annotation file.

    The annotation file has a line ``name label`` or, without a label (-1), ``name`` per clip; blank
    lines are passed over. The same class serves pre-training and mmaction2's recognizers. The
    coordinates stay on disk and are mapped into memory, so that workers share them.

    The pipeline gets ``keypoint`` (float32 [M, T, V, C], a copy that may be changed; persons that
    are absent are zero throughout), ``total_frames`` T, ``frame_dir`` and ``filename`` (the clip's
    name), ``label``, ``layout`` (a key of LAYOUTS), ``start_index`` 0, ``modality`` 'Pose' and
    ``replaced``.

    Once ``SeedByProgressHook`` has called ``set_progress``, randomness depends on (seed, epoch,
    index), see SeededSamples; until then it is the process's own.

    Args:
        ann_file: Annotation file.
        pipeline: Transforms; those of mmaction2 are written with their scope, ``mmaction.…``.
        data_prefix: ``skeleton``: the prepared folder.
        prepare_command: Command that makes this data set, quoted when something is missing.
        max_replacements: Broken clips in a row after which the search for a whole one ends.
        test_mode: No replacement: a broken clip is an error.
        **kwargs: As for mmengine's BaseDataset.

    Raises:
        DataError: Annotation or folder missing or malformed, a clip is not in the folder, or a
            label is out of range.
    """

    seeded_from_start = False
    sample_kind = 'clips'

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict | Callable],
        data_prefix: Mapping[str, str],
        prepare_command: str | None = None,
        max_replacements: int = 10,
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        self._fix = f'run `{prepare_command}`' if prepare_command else 'see docs/data.md'
        self._coordinates: np.ndarray | None = None
        self.init_seeded_samples(max_replacements)
        # The pipeline is built last, so that a missing folder is the first thing to be named.
        super().__init__(
            ann_file,
            pipeline=[],
            data_prefix=dict(data_prefix),
            test_mode=test_mode,
            modality='Pose',
            **kwargs,
        )
        self.pipeline = build_pipeline(pipeline)
        self.check_names()

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N]: frames of each sample, in the order of the samples."""
        infos = (BaseActionDataset.get_data_info(self, index) for index in range(len(self)))
        return np.fromiter((info['total_frames'] for info in infos), np.int64, len(self))

    def load_data_list(self) -> list[dict]:
        """Read the annotation file; name, label, first frame and length of each clip."""
        if 'skeleton' not in self.data_prefix:
            raise DataError(
                f'SkeletonDataset of {self.ann_file}: data_prefix has no key skeleton: give '
                "data_prefix=dict(skeleton='data/NAME')"
            )
        if not os.path.isfile(self.ann_file):
            raise DataError(f'annotation file {self.ann_file} is missing: {self._fix}')
        self.folder = open_skeleton_folder(self.data_prefix['skeleton'], self._fix)
        positions = {name: position for position, name in enumerate(self.folder.names.tolist())}
        starts = self.folder.starts
        data_list = []
        with open(self.ann_file, encoding='utf-8') as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                name, label = self._parse(line, number, self.folder)
                if name not in positions:
                    raise DataError(
                        f'{self.ann_file}:{number}: clip {name} is not in {self.folder.path}: '
                        f'{self._fix}'
                    )
                clip = positions[name]
                data_list.append(
                    {
                        'frame_dir': name,
                        'filename': name,
                        'label': label,
                        'total_frames': int(self.folder.lengths[clip]),
                        'first_frame': int(starts[clip]),
                    }
                )
        if not data_list:
            raise DataError(f'annotation file {self.ann_file} is empty: {self._fix}')
        return data_list

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Read one clip; see the class for its keys."""
        info = super().get_data_info(idx)
        if self._coordinates is None:
            self._coordinates = self.folder.open_coordinates()
        start = info.pop('first_frame')
        frames = self._coordinates[start : start + info['total_frames']]
        # Always a copy: with one person the transposed view is contiguous already.
        info['keypoint'] = np.array(frames.transpose(1, 0, 2, 3), order='C')
        info['layout'] = self.folder.layout
        return info

    def __getstate__(self) -> dict[str, Any]:
        """All but the mapped coordinates: a copy or a spawned worker would get them as an array."""
        return {**self.__dict__, '_coordinates': None}

    def _parse(self, line: str, number: int, folder: SkeletonFolder) -> tuple[str, int]:
        """Split a line into name and label; names hold no blanks."""
        name, *rest = line.split()
        if len(rest) > 1 or (rest and not rest[0].lstrip('-').isdigit()):
            raise DataError(
                f'{self.ann_file}:{number}: {line.strip()!r} is not "name label": {self._fix}'
            )
        label = int(rest[0]) if rest else -1
        if not -1 <= label < folder.num_classes:
            raise DataError(
                f'{self.ann_file}:{number}: label {label} of {name} is out of range, '
                f'{folder.path} has {folder.num_classes} classes: {self._fix}'
            )
        return name, label
