"""The table of the published models, and their ``Weights`` in the model index."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmact_ssl.configs.encoder_config import EncoderConfig, read_record
from mmact_ssl.evaluation.results import Result
from mmact_ssl.io.student_file import StudentFile, find_value
from mmact_ssl.io.zoo import INDEX, read_index
from research.markers import renew_file

BLOCK = re.compile(r'<!-- zoo -->\n.*<!-- /zoo -->', re.DOTALL)
TOP = (
    '\n| Model | Input | Data | License | Linear | kNN | C | MB |\n'
    '| --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n'
)
ENTRY = re.compile(r'^  - Name: (?P<name>\S+)\n(?:    .*\n)*', re.MULTILINE)


def zoo_block(folder: str | os.PathLike[str], results: Sequence[Result]) -> str:
    """Write the table of a zoo's files, with those results that were measured on them."""
    figures = {
        (result.checkpoint_hash, result.dataset, result.protocol): result.metrics['top1']
        for result in results
        if result.label_fraction == 1 and 'top1' in result.metrics
    }
    rows = []
    for name, entry in read_index(Path(folder) / INDEX).items():
        path = Path(folder) / entry.file
        card = StudentFile.read(path).card
        assert card is not None
        encoder = read_record(card.encoder, str(path))
        found = [figures.get((entry.sha256, card.data, name)) for name in ('linear', 'knn')]
        linear, knn = ('-' if value is None else f'{100 * value:.1f}' for value in found)
        rows.append(
            f'| {name} | {_input(encoder)} | {card.trained_on} | {card.licence} '
            f'| {linear} | {knn} | {encoder.feature_dim} | {entry.size / 1e6:.1f} |\n'
        )
    return f'<!-- zoo -->\n{TOP}{"".join(rows)}\n<!-- /zoo -->'


def _input(encoder: EncoderConfig) -> str:
    """Name the frames and pixels, or the layout and frames, of one clip of the network's input."""
    if encoder.is_skeleton:
        persons = find_value(encoder.clip, 'num_person')
        bodies = f'{persons} bodies' if persons > 1 else '1 body'
        frames = find_value(encoder.clip, 'num_frames')
        return f'{encoder.layout} skeletons, {bodies}, {frames} frames'
    keys = ('num_clips', 'clip_len', 'crop_size')
    clips, frames, side = (find_value(encoder.clip, key) for key in keys)
    counts = [str(count) for count in (clips, frames) if count > 1]
    return f'video, {" x ".join(counts)} frames, {side} x {side} pixels'


def update_zoo(
    folder: str | os.PathLike[str],
    results: Sequence[Result],
    page: str | os.PathLike[str],
    index: str | os.PathLike[str],
    write: bool = True,
) -> list[Path]:
    """Renew the page and the index's ``Weights``, or only compare; return the files that differ."""
    files = {name: entry.file for name, entry in read_index(Path(folder) / INDEX).items()}

    def renew(match: re.Match) -> str:
        text = re.sub(r'^    Weights: .*\n', '', match.group(), flags=re.MULTILINE)
        if match['name'] not in files:
            return text
        weights = f'    Weights: zoo/{files[match["name"]]}\n'
        return re.sub(r'^(    In Collection: .*\n)', rf'\g<1>{weights}', text, flags=re.MULTILINE)

    block, changed = zoo_block(folder, results), []
    if renew_file(page, lambda text: BLOCK.sub(lambda match: block, text), write):
        changed.append(Path(page))
    if renew_file(index, lambda text: ENTRY.sub(renew, text), write):
        changed.append(Path(index))
    return changed
