"""The table of the published models, and their ``Weights`` in the model index."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mmact_ssl.apis.card import Card, read_card
from mmact_ssl.apis.zoo import INDEX, read_index
from research.markers import renew_file

BLOCK = re.compile(r'<!-- zoo -->\n.*<!-- /zoo -->', re.DOTALL)
TOP = (
    '\n| Model | Input | Data | License | Linear | kNN | C | MB |\n'
    '| --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n'
)
ENTRY = re.compile(r'^  - Name: (?P<name>\S+)\n(?:    .*\n)*', re.MULTILINE)


def zoo_block(folder: str | os.PathLike[str]) -> str:
    """Write the table of a zoo's files."""
    rows = []
    for name, entry in read_index(Path(folder) / INDEX).items():
        card = read_card(Path(folder) / entry.file)
        # In early cards only the config's name ends in that of the data set.
        dataset = card.dataset_name or card.config.rpartition('_')[2]
        figures = {f['name']: f for f in card.results if f['dataset'] == dataset}
        linear, knn = (_percent(figures.get(key)) for key in ('Linear', 'kNN'))
        rows.append(
            f'| {name} | {_input(card)} | {card.trained_on} | {card.licence} '
            f'| {linear} | {knn} | {card.feature_dim} | {entry.size / 1e6:.1f} |\n'
        )
    return f'<!-- zoo -->\n{TOP}{"".join(rows)}\n<!-- /zoo -->'


def _input(card: Card) -> str:
    """Name the frames and pixels, or the layout and frames, of one clip of the network's input."""
    frames = card.clip.get('num_frames') or card.clip.get('clip_len', 1)
    if card.kind == 'skeleton':
        bodies = f'{card.num_persons} bodies' if card.num_persons > 1 else '1 body'
        return f'{card.layout} skeletons, {bodies}, {frames} frames'
    sizes = [step['crop_size'] for step in card.pipeline if 'crop_size' in step]
    pixels = f', {sizes[-1]} x {sizes[-1]} pixels' if sizes else ''
    counts = [count for count in (card.clip.get('num_clips', 1), frames) if count > 1]
    return f'video, {" x ".join(map(str, counts)) or 1} frames{pixels}'


def _percent(figure: dict | None) -> str:
    return '-' if figure is None else f'{100 * figure["value"]:.1f}'


def update_zoo(
    folder: str | os.PathLike[str],
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

    block, changed = zoo_block(folder), []
    if renew_file(page, lambda text: BLOCK.sub(lambda match: block, text), write):
        changed.append(Path(page))
    if renew_file(index, lambda text: ENTRY.sub(renew, text), write):
        changed.append(Path(index))
    return changed
