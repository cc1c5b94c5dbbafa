"""Find the files in a user's folder, and the preparation that reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.datasets.layouts import layout_of
from mmact_ssl.datasets.prepared_folder import describe_folder
from mmact_ssl.datasets.skeleton_folder import META
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.files import file_version, read_arrays, reading
from mmact_ssl.preparation.files import VIDEO_SUFFIXES, files_below, outside, require
from mmact_ssl.preparation.ntu import LAST_SETUP_60, NAME
from mmact_ssl.preparation.safe_pickle import load_plain_pickle
from mmact_ssl.preparation.videos import read_labels

PICKLES = ('.pkl', '.pickle')
OWN = 'docs/start/own_skeletons.md shows how to write it'
HOLDS = 'videos, one npz file, one pickle of pyskl or mmaction2, or .skeleton files of NTU RGB+D'


@dataclass(frozen=True)
class Source:
    """A folder or file of a user.

    Attributes:
        is_video: True for videos, False for skeletons.
        words: Words of ``tools/prepare_data.py``, without ``--out``; () for a folder of skeletons
            that is prepared already.
        is_labeled: True if labels are given or are in the files.
    """

    path: Path
    is_video: bool
    files: tuple[Path, ...]
    words: tuple[str, ...]
    is_labeled: bool

    def state(self, labels: str | None) -> str:
        """Hash of the names, sizes and times of all files, and of a table of labels."""
        table = [Path(labels)] if labels and labels != 'folders' else []
        digest = hashlib.sha256(str(labels).encode())
        for file in (*self.files, *table):
            size, changed = file_version(file)
            digest.update(f'{file}\n{size} {changed}\n'.encode(errors='replace'))
        return digest.hexdigest()[:16]


def find_source(path: Path, out: Path, labels: str | None, layout: str | None) -> Source:
    """Look at a folder, and choose its preparation.

    Args:
        path: Folder of videos; or of skeletons, which may be prepared already; or a file of these.
        out: Folder of the run, whose files are not counted.
        labels: Of videos: a table, or ``'folders'`` if the first folder below ``path`` is the
            class; None without labels. Files of skeletons hold their labels.
        layout: Of skeletons in a table; None: the only one with as many joints.

    Raises:
        DataError: There is nothing to read, or the table of labels has a mistake.
        ConfigError: There is more than one file of skeletons, or an option does not fit.
    """
    require(path, f'give a folder with {HOLDS}')
    if labels is not None and labels != 'folders':
        require(Path(labels), 'give a table video,label[,group], or the word folders')
    if (path / META).is_file():
        describe_folder(str(path))
        return _skeletons(path, [path / META], (), labels, layout)
    if (path / 'left_out.txt').is_file() and (path / 'videos').is_dir():
        raise ConfigError(f'{path} is prepared already: give the folder that it was made from')
    unread: dict[Path, str] = {}  # the preparation reports these
    below = [path] if path.is_file() else files_below(path, unread)
    files = outside(below, out)
    if below and not files:
        raise ConfigError(f'{path} lies in --out {out}: give an --out beside it')
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if videos and path.is_dir():
        if layout is not None:
            raise ConfigError(f'--layout is for skeletons, and {path} holds videos: leave it out')
        words = ['videos', '--source', str(path), '--placement', 'small']
        if labels not in (None, 'folders'):
            read_labels(Path(labels), videos, path)  # a mistake shows before the first step
        if labels is not None:
            words += ['--labels-from-folders'] if labels == 'folders' else ['--labels', labels]
        return Source(path, True, tuple(videos), tuple(words), labels is not None)
    tables = [file for file in files if file.suffix.lower() in ('.npz', *PICKLES)]
    if len(tables) > 1:
        raise ConfigError(f'{path} holds {len(tables)} files of skeletons: give one of them')
    if tables:
        return _skeletons(path, tables, _table_words(tables[0], layout), labels)
    names = {file: NAME.fullmatch(file.stem) for file in files if file.suffix == '.skeleton'}
    ntu = {file: name for file, name in names.items() if name}
    if not ntu:
        raise DataError(f'{path}: none of {len(files)} files is of use; give a folder with {HOLDS}')
    later = any(int(n['setup']) > LAST_SETUP_60 or int(n['action']) > 60 for n in ntu.values())
    words = ['ntu120' if later else 'ntu60', '--source', str(path)]
    return _skeletons(path, [*ntu], words, labels, layout)


def _skeletons(
    path: Path,
    files: Sequence[Path],
    words: Sequence[str],
    labels: str | None,
    layout: str | None = None,
) -> Source:
    if labels is not None:
        raise ConfigError(
            f'--labels is for videos: {path} holds skeletons, whose labels are in the file '
            '(docs/start/own_skeletons.md): leave it out'
        )
    if layout is not None:
        raise ConfigError(f'--layout: the joints of {path} are known: leave it out')
    return Source(path, False, tuple(files), tuple(words), True)


def _table_words(file: Path, layout: str | None) -> list[str]:
    """Words of the preparation of an npz file or a pickle."""
    is_pickle = file.suffix.lower() in PICKLES
    fix = 'give a pickle of pyskl or mmaction2' if is_pickle else OWN
    with reading(file, fix):
        if is_pickle:
            content: Any = load_plain_pickle(file)
            clips = content['annotations'] if isinstance(content, dict) else content
            shape = np.shape(clips[0]['keypoint'])
        else:
            shape = read_arrays(file, fix, ['keypoints'])['keypoints'].shape
        layout = layout or layout_of(shape)
    in_pixels = ['--unit', 'pixels'] if not is_pickle and shape[-1:] == (2,) else []
    command = 'pose-pickle' if is_pickle else 'custom'
    return [command, '--source', str(file), '--layout', layout, *in_pixels]
