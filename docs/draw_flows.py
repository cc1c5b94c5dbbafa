#!/usr/bin/env python
"""Draw the flow of each method, docs/methods/pictures/NAME_flow.svg.

A picture is as wide as a phone. Its colors are readable on a light and on a dark page. ``--check``
changes nothing and exits with status 1 if a picture is out of date.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

from mmact_ssl_cli import Parser

FOLDER = Path(__file__).resolve().parents[1] / 'docs/methods/pictures'
WIDTH = 340  # of the picture, in pixels
LINE, PADDING, GAP = 16, 8, 26  # heights of a line of text, around the text, between rows
LETTER = 6.6  # mean width of a letter
COLORS = dict(data='#5b6b7f', trained='#3f51b5', frozen='#a6500f', loss='#2e7d32')
ARROW = '#8a94a3'


class Box(NamedTuple):
    """A box: its row, the x of its center, its width, its lines of text and its kind."""

    row: int
    x: int
    width: int
    text: str
    kind: str


LEFT, MIDDLE, RIGHT, THIRD, HALF = 56, 170, 284, 106, 150
FLOWS: dict[str, tuple[str, dict[str, Box], str]] = {
    'csvr': (
        'Three tasks of CSVR on one backbone',
        dict(
            iframes=Box(0, LEFT, THIRD, 'I-frames', 'data'),
            clip=Box(0, MIDDLE, THIRD, 'clip', 'data'),
            teacher=Box(0, RIGHT, THIRD, 'pose teacher', 'frozen'),
            resnet=Box(1, LEFT, THIRD, '2D ResNet-18', 'trained'),
            backbone=Box(1, MIDDLE, THIRD, 'backbone', 'trained'),
            poses=Box(1, RIGHT, THIRD, 'poses: seen\nand future', 'frozen'),
            static=Box(2, 116, 98, 'static map', 'trained'),
            dynamic=Box(2, 224, 98, 'dynamic map', 'trained'),
            context=Box(3, LEFT, THIRD, 'context:\nsame video?', 'loss'),
            fused=Box(3, MIDDLE, THIRD, 'AdaIN\nof both maps', 'trained'),
            pose=Box(3, RIGHT, THIRD, 'pose: GAN of\nfuture poses', 'loss'),
            current=Box(4, 100, 130, 'current frames:\ngenerator, GAN', 'loss'),
            future=Box(4, 240, 130, 'future frames:\ngenerator, GAN', 'loss'),
        ),
        (
            'iframes>resnet clip>backbone teacher>poses backbone>static backbone>dynamic '
            'resnet>context static>context static>fused dynamic>fused dynamic>pose poses>pose '
            'fused>current fused>future'
        ),
    ),
    'dtg': (
        'Teachers guide a student on two clips of a video',
        dict(
            a=Box(0, 90, HALF, 'clip A', 'data'),
            b=Box(0, 250, HALF, 'clip B, same video', 'data'),
            student=Box(1, 90, HALF, 'student', 'trained'),
            teachers=Box(1, 250, HALF, 'teachers k = 1 … K', 'frozen'),
            projected=Box(2, 90, HALF, 'projector p of\neach teacher', 'trained'),
            targets=Box(2, 250, HALF, 'targets t,\nstandardized', 'frozen'),
            itself=Box(3, LEFT, THIRD, 'student with\nitself', 'loss'),
            agreement=Box(3, MIDDLE, THIRD, 'agreement:\nsame clip', 'loss'),
            contrast=Box(3, RIGHT, THIRD, 'contrast:\nother clip', 'loss'),
            guidance=Box(4, 227, 220, 'guidance: weighted teachers', 'loss'),
        ),
        (
            'a>student a>teachers b>student b>teachers student>projected teachers>targets '
            'projected>itself projected>agreement projected>contrast targets>agreement '
            'targets>contrast agreement>guidance contrast>guidance'
        ),
    ),
    'hcpg': (
        'Part maps and two contrasts, an adapter for each task',
        dict(
            a=Box(0, 100, 140, 'clip, speed a', 'data'),
            b=Box(0, 250, 140, 'clip_b, speed b', 'data'),
            parser=Box(1, 50, 94, 'parser', 'frozen'),
            student=Box(1, 220, 200, 'student', 'trained'),
            maps=Box(2, 38, 70, 'part\nmaps', 'frozen'),
            parts=Box(2, 122, 82, 'adapter\nparsing', 'trained'),
            looks=Box(2, 211, 82, 'adapter\nappearance', 'trained'),
            moves=Box(2, 298, 80, 'adapter\nmotion', 'trained'),
            parsing=Box(3, 83, 150, 'parsing:\nwhich part is where', 'loss'),
            appearance=Box(3, 211, 82, 'same\nvideo?', 'loss'),
            motion=Box(3, 298, 80, 'same\nspeed?', 'loss'),
        ),
        (
            'a>parser a>student b>student parser>maps student>parts student>looks student>moves '
            'maps>parsing parts>parsing looks>appearance moves>motion'
        ),
    ),
    'ms2l': (
        'Three views of a skeleton clip and three tasks',
        dict(
            source=Box(0, MIDDLE, 140, 'skeleton clip', 'data'),
            clip=Box(1, LEFT, THIRD, 'clip', 'data'),
            masked=Box(1, MIDDLE, THIRD, 'masked: last\n30 % zero', 'data'),
            shuffled=Box(1, RIGHT, THIRD, 'shuffled:\nthirds moved', 'data'),
            encoder=Box(2, MIDDLE, 332, 'GRU encoder, mean over valid frames', 'trained'),
            projector=Box(3, LEFT, THIRD, 'projector,\nall views', 'trained'),
            decoder=Box(3, MIDDLE, THIRD, 'GRU decoder,\nmasked', 'trained'),
            mlp=Box(3, RIGHT, THIRD, 'classifier,\nshuffled', 'trained'),
            contrast=Box(4, LEFT, THIRD, 'contrast:\nsame clip?', 'loss'),
            motion=Box(4, MIDDLE, THIRD, 'motion: the\nwhole clip', 'loss'),
            jigsaw=Box(4, RIGHT, THIRD, 'jigsaw: which\nof 6 orders?', 'loss'),
        ),
        (
            'source>clip source>masked source>shuffled clip>encoder masked>encoder '
            'shuffled>encoder encoder>projector encoder>decoder encoder>mlp projector>contrast '
            'decoder>motion mlp>jigsaw'
        ),
    ),
    'c2vl': (
        'Skeletons meet sentences in one space',
        dict(
            clip=Box(0, 90, HALF, 'skeleton clip', 'data'),
            text=Box(0, 250, HALF, 'its sentences', 'data'),
            view=Box(1, 90, HALF, 'augmented view', 'data'),
            drawn=Box(1, 250, HALF, 'one is drawn,\ntext encoder', 'frozen'),
            encoder=Box(2, 90, HALF, 'encoder, projector: z', 'trained'),
            w=Box(2, 250, HALF, 'projector: w', 'trained'),
            similarity=Box(3, 90, HALF, 'similarity\nS = z · w', 'trained'),
            averages=Box(3, 250, HALF, "moving averages:\nz' and w'", 'frozen'),
            loss=Box(4, 82, 130, 'cross-entropy,\nboth ways', 'loss'),
            target=Box(4, 258, 130, "soft target\nof K and S'", 'frozen'),
        ),
        (
            'clip>view text>drawn view>encoder drawn>w encoder>similarity w>similarity w>averages '
            'encoder>averages averages>target similarity>loss target>loss'
        ),
    ),
    'rivals': (
        'Two views of a clip agree; or a clip tells its speed or order',
        dict(
            clip=Box(0, 112, 200, 'clip', 'data'),
            video=Box(0, 284, THIRD, 'clip', 'data'),
            views=Box(1, 112, 200, 'two views', 'data'),
            changed=Box(1, 284, THIRD, 'stride, or order\nof segments', 'data'),
            student=Box(2, 112, 216, 'student, projector', 'trained'),
            same=Box(2, 284, THIRD, 'student', 'trained'),
            predictor=Box(3, 56, 104, 'predictor', 'trained'),
            prototypes=Box(3, 168, 104, 'prototypes', 'trained'),
            classifier=Box(3, 284, THIRD, 'classifier', 'trained'),
            byol=Box(4, 56, 104, 'other view:\nBYOL, SimSiam', 'loss'),
            dino=Box(4, 168, 104, 'other view:\nDINO', 'loss'),
            told=Box(4, 284, THIRD, 'which one?\nspeed, order', 'loss'),
        ),
        (
            'clip>views views>student student>predictor student>prototypes predictor>byol '
            'prototypes>dino video>changed changed>same same>classifier classifier>told'
        ),
    ),
    'rivals_masked': (
        'A light transformer predicts what the student does not see',
        dict(
            clip=Box(0, MIDDLE, 140, 'clip', 'data'),
            visible=Box(1, 90, HALF, 'visible places', 'data'),
            masked=Box(1, 250, HALF, 'masked places', 'data'),
            student=Box(2, 90, HALF, 'student', 'trained'),
            target=Box(3, 250, HALF, 'target: values, or\nthe momentum copy', 'frozen'),
            light=Box(3, 90, HALF, 'light transformer', 'trained'),
            pixels=Box(4, LEFT, THIRD, 'pixels:\nVideoMAE', 'loss'),
            motion=Box(4, MIDDLE, THIRD, 'motion:\nMAMP', 'loss'),
            latents=Box(4, RIGHT, THIRD, 'features:\nV-JEPA', 'loss'),
        ),
        (
            'clip>visible clip>masked visible>student masked>target student>light light>pixels '
            'light>motion light>latents target>pixels target>motion target>latents'
        ),
    ),
}
LEGEND = dict(data='input', trained='trained', frozen='no gradient', loss='loss')


def draw(title: str, boxes: dict[str, Box], arrows: str) -> str:
    """Write one picture.

    Raises:
        ValueError: A text is wider than its box, or a box lies outside the picture.
    """
    heights = [
        max(_height(box) for box in boxes.values() if box.row == row)
        for row in range(max(box.row for box in boxes.values()) + 1)
    ]
    tops = [4 + sum(heights[:row]) + GAP * row for row in range(len(heights))]
    height = tops[-1] + heights[-1] + GAP
    parts = [_arrow(*(boxes[name] for name in pair.split('>')), tops) for pair in arrows.split()]
    parts += [_box(box, tops[box.row]) for box in boxes.values()]
    for place, (kind, text) in enumerate(LEGEND.items()):
        parts.append(_box(Box(0, 44 + 84 * place, 78, text, kind), height, size=11))
    height += _height(Box(0, 0, 0, '', '')) + 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" fill="#fff" '
        f'text-anchor="middle">\n<title>{escape(title)}</title>\n'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 8 4 0 8z" fill="{ARROW}"/></marker>\n'
        + '\n'.join(parts)
        + '\n</svg>\n'
    )


def _height(box: Box) -> int:
    return LINE * (box.text.count('\n') + 1) + 2 * PADDING


def _box(box: Box, top: int, size: int = 13) -> str:
    """Write a box with its text."""
    left, lines = box.x - box.width // 2, box.text.split('\n')
    if left < 0 or left + box.width > WIDTH:
        raise ValueError(f'{box.text!r} lies outside the picture')
    if max(map(len, lines)) * LETTER * size / 13 > box.width:
        raise ValueError(f'{box.text!r} is wider than its box; make lines of it')
    shape = (
        f'<rect x="{left}" y="{top}" width="{box.width}" height="{_height(box)}" rx="6" '
        f'fill="{COLORS[box.kind]}"/>'
    )
    texts = [
        f'<text x="{box.x}" y="{top + PADDING + 12 + LINE * line}" font-size="{size}">'
        f'{escape(text)}</text>'
        for line, text in enumerate(lines)
    ]
    return '\n'.join([shape, *texts])


def _arrow(first: Box, last: Box, tops: list[int]) -> str:
    """Write an arrow from the bottom of a box to the top of another, or between neighbors."""
    if first.row == last.row:
        sign = 1 if last.x > first.x else -1
        y = tops[first.row] + _height(first) // 2
        start = first.x + sign * first.width // 2, y
        end = last.x - sign * last.width // 2, y
    else:
        start = _near(first, last.x), tops[first.row] + _height(first)
        end = _near(last, first.x), tops[last.row]
    line = f'M{start[0]} {start[1]} {end[0]} {end[1]}'
    return f'<path d="{line}" stroke="{ARROW}" stroke-width="1.6" marker-end="url(#tip)"/>'


def _near(box: Box, x: int) -> int:
    """Return the place on the edge of a box nearest to x, but for its corners."""
    reach = box.width // 2 - 14
    return min(max(x, box.x - reach), box.x + reach)


def main(argv: list[str] | None = None) -> None:
    """Draw or check the pictures."""
    parser = Parser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='compare only')
    is_check = parser.parse_args(argv).check
    for name, flow in FLOWS.items():
        file, picture = FOLDER / f'{name}_flow.svg', draw(*flow)
        if not is_check:
            file.write_text(picture, encoding='utf-8')
        elif not file.is_file() or file.read_text(encoding='utf-8') != picture:
            raise SystemExit(f'error: {file} is old; run python docs/draw_flows.py')


if __name__ == '__main__':
    main()
