"""The pages of the published models, and their ``Weights`` in the model index."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmact_ssl.apis.card import Card, read_card
from mmact_ssl.apis.zoo import INDEX, Entry, read_index
from mmact_ssl.evaluation.protocols import PROTOCOLS
from research.markers import renew_file

BLOCK = re.compile(r'<!-- (zoo|cards) -->\n.*<!-- /\1 -->', re.DOTALL)
CARDS = 'model_cards.md'
TOP = (
    '\n| Model | Input | Data | Linear | kNN | Test clips | C | MB |\n'
    '| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n'
)
ENTRY = re.compile(r'^  - Name: (?P<name>\S+)\n(?:    .*\n)*', re.MULTILINE)


def zoo_blocks(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Write the table of a zoo's files, ``zoo``, and a section with each card, ``cards``."""
    rows, sections = [], []
    entries = read_index(Path(folder) / INDEX)
    cards = {entry.sha256: read_card(Path(folder) / entry.file) for entry in entries.values()}
    for name, entry in entries.items():
        card = cards[entry.sha256]
        # In early cards only the config's name ends in that of the data set.
        dataset = card.dataset_name or card.config.rpartition('_')[2]
        figures = {f['name']: f for f in card.results if f['dataset'] == dataset}
        shown = [figures.get(key) for key in ('Linear', 'kNN')]
        linear, knn = (_percent(figure) for figure in shown)
        clips = next((figure['test_clips'] for figure in shown if figure), 0) or '-'
        rows.append(
            f'| [{name}]({CARDS}#{name}) | {_input(card)} '
            f'| {card.trained_on} | {linear} | {knn} '
            f'| {clips} | {card.feature_dim} | {entry.size / 1e6:.1f} |\n'
        )
        sections.append(_section(card, entry))
    texts = dict(zoo=TOP + ''.join(rows), cards=''.join(sections))
    return {name: f'<!-- {name} -->\n{text}\n<!-- /{name} -->' for name, text in texts.items()}


def _section(card: Card, entry: Entry) -> str:
    """Format one model's card as Markdown."""
    bodies = f' of {card.num_persons} {card.layout} bodies' if card.num_persons else ''
    clip = ', '.join(f'{key} {value}' for key, value in card.clip.items()) or 'whole clips'
    text = (
        f'\n## {card.name}\n\n'
        f'- Trained by `configs/{card.config}.py` ({card.method}) on {card.trained_on}\n'
        f'- Licence: {card.licence}\n'
        f'- {card.backbone_name}, {card.kind}{bodies}: {clip}; features of {card.feature_dim}\n'
        f'- `{entry.file}`, {card.precision}, sha256 `{entry.sha256}`\n'
    )
    if card.text_encoder:
        text += f'- Found by sentences too, of `configs/teachers/{card.text_encoder}.py`\n'
    # A file of an earlier version may have figures of a protocol that is gone.
    figures = [figure for figure in card.results if figure['protocol'] in PROTOCOLS]
    if figures:
        text += (
            '\n| Result | % | Data | Test clips | Weights of |\n| --- | ---: | --- | ---: | --- |\n'
        )
    for figure in figures:
        kind = ' (synthetic)' if figure['synthetic'] else ''
        text += (
            f'| {figure["name"]} | {_percent(figure)} | {figure["dataset"]}{kind} | '
            f'{figure["test_clips"] or "-"} | {figure["weights"]} |\n'
        )
    return text


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
    pages: Sequence[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    write: bool = True,
) -> list[Path]:
    """Renew pages and the index's ``Weights``, or only compare; return the files that differ."""
    # By the training config, which a model's name need not be.
    files = {
        read_card(Path(folder) / entry.file).config: entry.file
        for entry in read_index(Path(folder) / INDEX).values()
    }

    def renew(match: re.Match) -> str:
        text = re.sub(r'^    Weights: .*\n', '', match.group(), flags=re.MULTILINE)
        if match['name'] not in files:
            return text
        weights = f'    Weights: zoo/{files[match["name"]]}\n'
        return re.sub(r'^(    In Collection: .*\n)', rf'\g<1>{weights}', text, flags=re.MULTILINE)

    blocks = zoo_blocks(folder)
    changed = [
        Path(page)
        for page in pages
        if renew_file(page, lambda text: BLOCK.sub(lambda match: blocks[match[1]], text), write)
    ]
    if renew_file(index, lambda text: ENTRY.sub(renew, text), write):
        changed.append(Path(index))
    return changed
