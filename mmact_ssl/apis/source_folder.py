"""Find the files in a user's folder, and the preparation that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmact_ssl.datasets.prepared_folder import describe_folder
from mmact_ssl.datasets.skeleton_folder import META
from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.preparation.files import VIDEO_SUFFIXES, files_below, outside, require
from mmact_ssl.preparation.ntu import LAST_SETUP_60, NAME
from mmact_ssl.preparation.videos import read_labels

PICKLE_SUFFIXES = ('.pkl', '.pickle')
TABLES = ('.npz', *PICKLE_SUFFIXES)
KINDS = 'videos, one npz file, one pickle of pyskl or mmaction2, or .skeleton files of NTU RGB+D'


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


def find_source(
    path: Path, out: Path, labels: str | None, layout: str | None, coordinates: str | None = None
) -> Source:
    """Look at a folder, and choose its preparation.

    Args:
        path: Folder of videos; or of skeletons, which may be prepared already; or a file of these.
        out: Folder of the run, whose files are not counted.
        labels: Of videos: a table, or ``'folders'`` if the first folder below ``path`` is the
            class; None without labels. Files of skeletons hold their labels.
        layout, coordinates: Of skeletons in a table, as for its preparation.

    Raises:
        DataError: There is nothing to read, or the table of labels has a mistake.
        ConfigError: There is more than one file of skeletons, or an option does not fit.
    """
    require(path, f'give a folder with {KINDS}')
    if labels is not None and labels != 'folders':
        require(Path(labels), 'give a table video,label[,group], or the word folders')
    is_video = False
    if (path / META).is_file():
        describe_folder(str(path))
        files, words = [path / META], []
    elif (path / 'left_out.txt').is_file() and (path / 'videos').is_dir():
        raise ConfigError(f'{path} is prepared already: give the folder that it was made from')
    else:
        unread: dict[Path, str] = {}  # the preparation reports these
        below = [path] if path.is_file() else files_below(path, unread)
        files = outside(below, out)
        if below and not files:
            raise ConfigError(f'{path} lies in --out {out}: give an --out beside it')
        videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
        is_video = path.is_dir() and bool(videos)
        if is_video:
            files, words = videos, ['videos', '--source', str(path), '--placement', 'small']
        else:
            files, words = _choose_skeletons(path, files)
    if is_video:
        if layout or coordinates:
            raise ConfigError(
                f'--layout and --coordinates are for skeletons, {path} holds videos: drop them'
            )
        if labels == 'folders':
            words += ['--labels-from-folders']
        elif labels is not None:
            read_labels(Path(labels), files, path)  # a mistake shows before the first step
            words += ['--labels', labels]
        return Source(path, True, tuple(files), tuple(words), labels is not None)
    for option, value in (('--layout', layout), ('--coordinates', coordinates)):
        if value and words[:1] not in (['custom'], ['pose-pickle']):
            raise ConfigError(f'{option}: the joints of {path} are known: leave it out')
        words += [option, value] if value else []
    if labels is not None:
        raise ConfigError(
            f'--labels is for videos: {path} holds skeletons, whose labels are in the file '
            '(docs/start/own_skeletons.md): leave it out'
        )
    return Source(path, False, tuple(files), tuple(words), True)


def _choose_skeletons(path: Path, files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Choose the files of skeletons, and the words of their preparation."""
    tables = [file for file in files if file.suffix.lower() in TABLES]
    if len(tables) > 1:
        raise ConfigError(f'{path} holds {len(tables)} files of skeletons: give one of them')
    if not tables:
        names = {file: NAME.fullmatch(file.stem) for file in files if file.suffix == '.skeleton'}
        ntu = {file: name for file, name in names.items() if name}
        if not ntu:
            fix = f'give a folder with {KINDS}'
            raise DataError(f'{path}: none of {len(files)} files is of use; {fix}')
        numbers = [(int(name['setup']), int(name['action'])) for name in ntu.values()]
        is_ntu120 = any(setup > LAST_SETUP_60 or action > 60 for setup, action in numbers)
        return [*ntu], ['ntu120' if is_ntu120 else 'ntu60', '--source', str(path)]
    (file,) = tables
    command = 'pose-pickle' if file.suffix.lower() in PICKLE_SUFFIXES else 'custom'
    return tables, [command, '--source', str(file)]
