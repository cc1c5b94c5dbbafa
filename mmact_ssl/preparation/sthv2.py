"""Something-Something v2 (Goyal et al. 2017): webm videos and lists from its JSON labels."""

from __future__ import annotations

from pathlib import Path

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import path_inside, reading
from mmact_ssl.io.schema import read_json
from mmact_ssl.preparation.files import Video, classes_by_number, require, write_usable_videos

SETS = {'sthv2': 'Something-Something v2: real video, 174 actions with objects'}
# {our split: name of the file}. The labels of the official test split are not public.
SPLITS = {'train': 'train', 'test': 'validation'}


def prepare(source: Path, out: Path, placement: str = 'link') -> dict[str, int]:
    """Place the unchanged videos and write the lists.

    Args:
        source: Folder with ``20bn-something-something-v2/*.webm``, and ``train.json``,
            ``validation.json`` and ``labels.json`` in ``labels/``.
        out: Folder to write ``videos/``, ``train.txt``, ``test.txt`` (the official validation
            split), ``classes.txt`` to.
        placement: 'copy' (byte-identical) or 'link'.
    """
    fix = 'point --source at a folder with 20bn-something-something-v2/ and labels/'
    folder = require(source / '20bn-something-something-v2', fix)
    splits: dict[str, list[Video]] = {split: [] for split in SPLITS}
    labels = require(source / 'labels', fix)
    with reading(source, fix):
        numbers = read_json(labels / 'labels.json', fix)
        numbers = {name: int(label) for name, label in numbers.items()}
        for split, file in SPLITS.items():
            for entry in read_json(labels / f'{file}.json', fix, list[dict]):
                # 'Holding [something] next to [something]' is the class without its brackets.
                name = entry['template'].replace('[', '').replace(']', '')
                if name not in numbers:
                    raise DataError(
                        f'{source}: class {name!r} of video {entry["id"]} is not in the labels '
                        'JSON; fetch both again'
                    )
                path = path_inside(folder, f'{entry["id"]}.webm', source)
                require(path, 'it is listed; unpack all parts')
                splits[split].append(Video(path, f'videos/{path.name}', numbers[name]))
    return write_usable_videos(source, out, splits, classes_by_number(numbers, source), placement)
