"""ARID (Xu et al. 2020) as lists of its own split, from the lists that come with the videos.

python research/parts/arid.py SOURCE data/arid
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmact_ssl.errors import DataError
from mmact_ssl.io.files import path_inside, read_text, reading
from mmact_ssl.preparation.files import Video, classes_by_number, require, write_usable_videos

# {our split: list and folder of its videos}
SPLITS = {'train': ('train.txt', 'train'), 'test': ('validate.txt', 'val')}


def prepare(source: Path, out: Path, placement: str = 'copy') -> dict[str, int]:
    """Copy the videos and write the lists of the set's own split.

    Args:
        source: Folder with ``train/``, ``val/``, the lists ``train.txt`` and ``validate.txt`` of
            lines ``number<TAB>label<TAB>path``, and ``mapping_table_23.txt`` of lines
            ``label<TAB>class``.
        out: Folder to write ``videos/``, ``train.txt``, ``test.txt``, ``classes.txt`` to.
        placement: 'copy' (byte-identical) or 'link'.
    """
    fix = 'point --source at a folder with train/, val/, their lists and mapping_table_23.txt'
    require(source, fix)
    table = source / 'mapping_table_23.txt'
    with reading(table, fix):
        numbers = {name: int(label) for label, name in _rows(table, 2, fix)}
    splits: dict[str, list[Video]] = {}
    for split, (listing, folder) in SPLITS.items():
        splits[split] = []
        with reading(source / listing, fix):
            for _, label, name in _rows(source / listing, 3, fix):
                path = path_inside(source / folder, name, source / listing)
                require(path, f'it is listed in {listing}; fetch the data set again')
                splits[split].append(Video(path, f'videos/{folder}/{name}', int(label)))
    return write_usable_videos(source, out, splits, classes_by_number(numbers, table), placement)


def _rows(path: Path, count: int, fix: str) -> list[list[str]]:
    """Rows of a table with tabs."""
    with reading(path, fix):
        rows = [line.split('\t') for line in read_text(path, fix).splitlines() if line.strip()]
    for number, cells in enumerate(rows, start=1):
        if len(cells) != count:
            raise DataError(f'{path}:{number}: has {len(cells)} cells, not {count}; {fix}')
    return rows


if __name__ == '__main__':
    print(prepare(*map(Path, sys.argv[1:3])))
