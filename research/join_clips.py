"""Long recordings for a study, joined from the clips of a data set."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

from mmact_ssl.io.files import read_annotation

SIZE, RATE = (480, 270), 15  # pixels, frames per second


def join_clips(listing: Path, folder: Path, count: int, in_runs: bool = False) -> None:
    """Join the clips of an annotation at random to ``count`` recordings in a folder.

    ``truth.csv`` beside the folder has the class of each moment, in the form of ``label``.

    Args:
        in_runs: The same clips in each recording, but those of a class one after another.
    """
    names, numbers = read_annotation(listing, 'prepare the data set')
    classes = listing.with_name('classes.txt').read_text(encoding='utf-8').splitlines()
    clips = sorted(zip(numbers, names))
    random.Random(0).shuffle(clips)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Sequence[object]] = [('video', 'start', 'stop', 'label')]
    for place in range(count):
        shown = 0
        with av.open(str(folder / f'rec_{place}.mp4'), 'w') as recording:
            stream = recording.add_stream('h264', rate=RATE)
            stream.width, stream.height, stream.pix_fmt = *SIZE, 'yuv420p'
            stream.time_base, stream.options = Fraction(1, RATE), dict(preset='veryfast', crf='26')
            joined = clips[place::count]
            if in_runs:
                order = random.Random(place).sample(range(len(classes)), len(classes))
                joined.sort(key=lambda clip: order[clip[0]])
            for number, name in joined:
                first, due = shown, 0.0
                with av.open(str(listing.parent / name)) as clip:
                    for index, frame in enumerate(clip.decode(video=0)):
                        if index + 1e-6 < due:
                            continue
                        due += float(clip.streams.video[0].average_rate) / RATE
                        picture = frame.reformat(*SIZE, 'yuv420p')
                        picture.pts, picture.time_base = shown, Fraction(1, RATE)
                        recording.mux(stream.encode(picture))
                        shown += 1
                rows.append((f'rec_{place}.mp4', first / RATE, shown / RATE, classes[number]))
            recording.mux(stream.encode())
    with open(folder.with_name('truth.csv'), 'w', encoding='utf-8', newline='') as file:
        csv.writer(file).writerows(rows)
