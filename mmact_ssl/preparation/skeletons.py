"""Writer of the prepared folder of a skeleton data set, clip by clip."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmact_ssl.datasets.layouts import LAYOUTS
from mmact_ssl.datasets.prepared_folder import CLASS_NAMES
from mmact_ssl.datasets.skeleton_clips import usable_clip
from mmact_ssl.datasets.skeleton_folder import CLIPS, FORMAT, META, SKELETONS
from mmact_ssl.datasets.transforms.skeleton.joints import known_joints, root_at_zero
from mmact_ssl.errors import DataError
from mmact_ssl.io.files import MAX_CLASSES, path_inside, sha256_of_file, write_atomically
from mmact_ssl.preparation.files import report_left_out, write_annotation, write_lines

# Bytes of the npy header; the number of frames is written into it at the end. numpy's own header
# has one more comma, which would change the file's hash. Results store this hash.
HEADER_SIZE = 128


class SkeletonWriter:
    """Writer of a prepared folder (see docs/extend/data.md) that does not keep the set in memory.

    Use it as a context manager: ``add`` clips, enter unusable clips in ``left_out`` with the
    reason, ``finish``. It writes the frames that :func:`usable_clip` returns, and leaves out clips
    that :func:`usable_clip` refuses.

    Args:
        out: Folder to write; ``meta.json``, which every reader needs, is written last.
        layout: A key of LAYOUTS with V joints.
        classes: Names of the classes, in the order of the labels.
        num_persons: Persons M of the set; a clip may have fewer.
        num_coordinates: Coordinates C of a joint, 2 or 3.
    """

    def __init__(
        self,
        out: Path,
        dataset: str,
        layout: str,
        classes: Sequence[str],
        num_persons: int,
        num_coordinates: int = 3,
    ) -> None:
        self.out, self.dataset, self.layout = out, dataset, layout
        self.classes = list(classes)
        self.frame_shape = (num_persons, LAYOUTS[layout].num_joints, num_coordinates)
        self.left_out: dict[str, str] = {}
        self._clips: dict[str, tuple[int, int]] = {}  # label, length
        self._digests: dict[str, bytes] = {}  # of the coordinates
        self._dropped_frames: Counter[str] = Counter()
        self._joints, self._missing_joints = 0, 0
        out.mkdir(parents=True, exist_ok=True)
        self._remove_lists()
        (out / META).unlink(missing_ok=True)
        self._part = out / f'.{SKELETONS}.{uuid.uuid4().hex[:12]}.part'  # of this process alone
        self._file = self._part.open('wb')
        self._file.write(_npy_header(0, self.frame_shape))

    def __enter__(self) -> SkeletonWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)  # finish() has renamed it

    def add(self, name: str, label: int, keypoint: np.ndarray) -> None:
        """Write a clip, or enter the reason in ``left_out``.

        Args:
            name: Name of the clip; no blanks, because annotation lines are ``name label``.
            label: Label from 0, or -1 for none.
            keypoint: (M or fewer, T, V, C); zero where a person or joint is not seen.
        """
        if name.split() != [name] or not name.isprintable() or name in self._clips:
            what = 'comes twice' if name in self._clips else 'is empty or has blanks'
            raise DataError(f'{self.dataset}: clip name {name!r} {what}; rename it')
        if not -1 <= label < len(self.classes):
            classes = f'{len(self.classes)} classes from 0'
            raise DataError(f'{self.dataset}: label {label} of {name} is not one of {classes}')
        persons, joints, coordinates = self.frame_shape
        try:
            clip, dropped = usable_clip(np.asarray(keypoint), self.layout)
            self._dropped_frames.update(dropped)
            if len(clip) > persons or clip.shape[3] != coordinates:
                raise ValueError(
                    f'shape {list(clip.shape)}, the set has {persons} persons at most and '
                    f'{coordinates} coordinates'
                )
        except ValueError as error:
            self.left_out[name] = str(error)
            return

        seen = np.any(clip, axis=(2, 3))  # (M, T)
        self._joints += int(seen.sum()) * joints
        known = known_joints({'keypoint': clip, **root_at_zero(clip, LAYOUTS[self.layout])})
        self._missing_joints += int((~known & seen[..., None]).sum())
        frames = np.zeros((clip.shape[1], *self.frame_shape), '<f4')
        frames[:, : len(clip)] = clip.transpose(1, 0, 2, 3)
        content = frames.tobytes()
        self._file.write(content)
        self._digests[name] = hashlib.sha256(content).digest()
        self._clips[name] = (label, len(frames))

    def finish(self, splits: Mapping[str, Sequence[str]]) -> dict[str, int]:
        """Write all other files of the folder.

        Args:
            splits: {list: names of clips}; ``xview_train`` becomes ``xview_train.txt``. Clips that
                were left out, and lists without a clip, are not written. Lists of an earlier
                preparation are removed. If clips of ``xview_test`` are copies of clips of
                ``xview_train``, ``xview_test_unseen.txt`` lists the other test clips.

        Returns:
            dict: Number of clips, of clips in each list, and of clips left out.
        """
        splits = {**splits, **self._unseen(splits)}
        lists = {split: path_inside(self.out, f'{split}.txt', self.dataset) for split in splits}
        if not self._clips:
            why = next((f'{n}: {why}' for n, why in self.left_out.items()), 'check --source')
            raise DataError(f'{self.out}: {self.dataset} has no usable clip; {why}')
        labels, lengths = np.array(list(self._clips.values()), dtype=np.int64).T
        self._file.seek(0)
        self._file.write(_npy_header(int(lengths.sum()), self.frame_shape))
        self._file.close()
        (self.out / META).unlink(missing_ok=True)  # of another process
        self._part.replace(self.out / SKELETONS)
        clip_names = np.array(list(self._clips), dtype=np.str_)
        np.savez(self.out / CLIPS, names=clip_names, labels=labels, lengths=lengths)
        write_lines(self.out / CLASS_NAMES, self.classes)
        counts = {}
        for split, names in splits.items():
            clips = [(name, self._clips[name][0]) for name in names if name in self._clips]
            lists[split].unlink(missing_ok=True)
            if clips:
                lines = ((name, None if label < 0 else label) for name, label in clips)
                write_annotation(lists[split], lines)
                counts[split] = len(clips)
        report_left_out(self.out, self.left_out)
        self._describe(labels, lengths)
        meta = {
            'format': FORMAT,
            'dataset': self.dataset,
            'layout': self.layout,
            'classes': len(self.classes),
            'lists': list(counts),
            'sha256': sha256_of_file(self.out / SKELETONS),
        }
        write_atomically(self.out / META, json.dumps(meta, indent=2) + '\n')
        return {'clips': len(self._clips), **counts, 'left_out': len(self.left_out)}

    def _unseen(self, splits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """{test list_unseen: clips that are not copies of training clips}, if there are copies."""
        unseen_lists = {}
        for split, names in splits.items():
            if not split.endswith(('test', 'val')):  # pyskl's word is val
                continue
            train = splits.get(re.sub('(test|val)$', 'train', split), ())
            trained = {self._digests[name] for name in train if name in self._digests}
            clips = [name for name in names if name in self._digests]
            unseen = [name for name in clips if self._digests[name] not in trained]
            if len(unseen) < len(clips):
                unseen_lists[f'{split}_unseen'] = unseen
                print(
                    f'{self.dataset}: {len(clips) - len(unseen)} of the {len(clips)} clips of '
                    f'{split} are copies of training clips: {split}_unseen.txt lists the others'
                )
        return unseen_lists

    def _remove_lists(self) -> None:
        """Remove the lists of an earlier preparation, which its meta data names."""
        try:
            earlier = set(json.loads((self.out / META).read_text(encoding='utf-8'))['lists'])
        except (OSError, ValueError, KeyError, TypeError):
            return
        for path in self.out.rglob('*.txt'):
            if path.relative_to(self.out).with_suffix('').as_posix() in earlier:
                path.unlink()

    def _describe(self, labels: np.ndarray, lengths: np.ndarray) -> None:
        """Print what the folder holds, and what it lacks."""
        missing = 100 * self._missing_joints / self._joints
        frames = f'{lengths.min()} to {lengths.max()} frames (median {np.median(lengths):g})'
        print(f'{self.dataset}: {frames}, {missing:.2g} % of joints missing')
        notes = [f'{n} frames left out: {why}' for why, n in self._dropped_frames.items() if n]
        if unlabeled := int((labels < 0).sum()):
            notes.append(f'{unlabeled} of {len(labels)} clips have no label')
        labeled = {self.classes[label] for label in labels[labels >= 0].tolist()}
        empty = [name for name in self.classes if name not in labeled]
        if empty and labeled:
            some = ', '.join(map(repr, empty[:3])) + (', ...' if len(empty) > 3 else '')
            notes.append(
                f'{len(empty)} of {len(self.classes)} classes have no labeled clip: {some}'
            )
        for note in notes:
            print(f'{self.dataset}: {note}')


def numbered_classes(labels: Iterable[int], source: Path) -> list[str]:
    """Names of classes without names: ``class 0`` to the largest label."""
    count = max(labels, default=-1) + 1
    if count > MAX_CLASSES:
        raise DataError(f'{source}: label {count - 1} is too large; number the classes from 0')
    return [f'class {label}' for label in range(count)]


def _npy_header(frames: int, frame_shape: tuple[int, int, int]) -> bytes:
    """Return the header of an npy file of float32 (frames, *frame_shape), HEADER_SIZE bytes."""
    content = {'descr': '<f4', 'fortran_order': False, 'shape': (frames, *frame_shape)}
    magic = np.lib.format.magic(1, 0) + struct.pack('<H', HEADER_SIZE - 10)
    return magic + repr(content).encode('ascii').ljust(HEADER_SIZE - 11) + b'\n'
