"""The inputs that a student was trained for, and a downstream config that gives it the same."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Number
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log

from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.files import reading
from mmact_ssl.part_checks import plain_part
from mmact_ssl.saved_run import SavedRun, find_value
from mmact_ssl.shipped_configs import CONFIGS

PREPROCESSOR = 'data_preprocessor'
# Transforms that a student's clips pass or not, with the arguments to compare and their defaults.
BODIES: dict[str, dict[str, Any]] = {
    'ToCommonJoints': {},
    'NormalizeSkeleton': dict(mode=None, torso='spine_base'),
    'BonesAndMotion': dict(streams=('joint', 'bone', 'motion'), motion_scale=1.0),
}
# Pre-training varies the number of frames: a card and a recognizer have these.
FRAMES: dict[str, dict[str, Any]] = {
    'SampleFrames': dict(clip_len=None, frame_interval=1),
    'ResampleFrames': dict(num_frames=None),
}
# Of the test: training crops at random.
CROPS: dict[str, dict[str, Any]] = {'CenterCrop': dict(crop_size=None)}
COMPARED = {PREPROCESSOR: dict(mean=None, std=None, to_rgb=False), **BODIES, **FRAMES, **CROPS}
STRIDE = 'SampleFrames.frame_interval'
# Arguments that a data set's file may set, and their names there.
OF_SETS = {STRIDE: 'frame_interval', 'ResampleFrames.num_frames': 'clip_frames'}
PIPELINE = 'test_dataloader.dataset.pipeline'
FIX = 'train it again, or download it again'
MAX_FRAMES = 1000  # of a clip, and of its stride


class Difference(NamedTuple):
    """An input that the training and a downstream config have in different ways.

    Attributes:
        key: ``'NAME.ARGUMENT'`` of a transform or of the preprocessor; ``'NAME'`` of a transform
            that one of both does not have.
        place: Dotted path of the value in the config, or of the pipeline.
        part: The transform or preprocessor in the config; None for ``'NAME'``.
        own, trained: The config's value and the student's; bool for ``'NAME'``.
    """

    key: str
    place: str
    part: Any
    own: Any
    trained: Any

    @property
    def argument(self) -> str:
        """Name of the argument, the last part of the place."""
        return self.place.rpartition('.')[2]

    @property
    def is_structural(self) -> bool:
        """True if the config cannot take the value: a transform, a crop, a number of streams."""
        # Other transforms depend on the size of a crop.
        is_longer = isinstance(self.own, list) and len(self.own) != len(self.trained)
        return self.part is None or self.key.partition('.')[0] in CROPS or is_longer


def student_inputs(saved: SavedRun) -> dict[str, Any]:
    """Recorded inputs of a student, unchecked, by the key of a :class:`Difference`.

    ``'NAME'`` is True for a transform that the clips pass, else False. An argument is left out if
    it is unknown, or if it differs among the views.
    """
    loader: Any = saved.card
    test: Any = saved.card
    if saved.card is not None:
        part = saved.card.get('preprocessor')
    else:
        test = saved.config.get('test_dataloader')
        loader = test if saved.is_recognizer else saved.config.get('train_dataloader')
        part = find_value(saved.config.get('model'), PREPROCESSOR)
    has_frames = saved.card is not None or saved.is_recognizer
    inputs: dict[str, Any] = {}
    if isinstance(part, Mapping) and part.get('mean') is not None:
        inputs = _arguments(PREPROCESSOR, part)
    if not find_value(loader, 'pipeline'):
        return inputs
    for name in (*BODIES, *CROPS, *FRAMES) if has_frames else (*BODIES, *CROPS):
        steps = _steps(test if name in CROPS else loader, [name])
        views = [_arguments(name, step) for _, step in steps]
        known = views[0].items() if views else ()
        inputs.update((k, value) for k, value in known if all(v[k] == value for v in views))
        if name in BODIES:
            inputs[name] = bool(views)
    if not has_frames and (stride := _stride(saved.config)):
        inputs[STRIDE] = stride
    return inputs


def _stride(config: Mapping[str, Any]) -> Any:
    """The one stride of all clips in the pretext test, else that of the data set, if any."""
    strides = [
        step[view].get('stride')
        for _, step in _steps(config.get('test_dataloader'), ['SampleViews'])
        for view in ('clip', 'clip_b')
        if isinstance(step.get(view), Mapping)
    ]
    is_one = strides and isinstance(strides[0], int) and strides.count(strides[0]) == len(strides)
    return strides[0] if is_one else config.get(OF_SETS[STRIDE])


def _steps(part: Any, names: Iterable[str], path: str = '') -> Iterator[tuple[str, Any]]:
    """Dotted path and config of each transform of these types, at every depth."""
    if isinstance(part, Mapping):
        if type_name(part.get('type')) in names:
            yield path, part
        items = [*part.items()]
    else:
        items = [*enumerate(part)] if isinstance(part, (list, tuple)) else []
    for key, value in items:
        yield from _steps(value, names, f'{path}.{key}')


def type_name(kind: Any) -> str:
    """Name of a class without its scope."""
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def _arguments(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """Compared arguments of a part by key, with lists in place of tuples."""
    values = {f'{name}.{key}': part.get(key, value) for key, value in COMPARED[name].items()}
    if name in CROPS:  # one number means a square
        values = {key: [v, v] if isinstance(v, int) else v for key, v in values.items()}
    return {key: [*v] if isinstance(v, (list, tuple)) else v for key, v in values.items()}


def _differences(cfg: Config, inputs: Mapping[str, Any]) -> Iterator[Difference]:
    loaders = {name: cfg.get(name) for name in ('test_dataloader', 'train_dataloader')}
    steps = [*_steps(loaders, (*BODIES, *FRAMES, *CROPS))]
    tested = {type_name(step.type) for place, step in steps if place.startswith('.test')}
    for name in BODIES:
        if inputs.get(name, name in tested) != (name in tested):
            yield Difference(name, PIPELINE, None, name in tested, inputs[name])
    parts = [(type_name(step.type), place[1:], step) for place, step in steps]
    preprocessor = cfg.model.get(PREPROCESSOR)
    parts += [(PREPROCESSOR, f'model.{PREPROCESSOR}', preprocessor)] if preprocessor else []
    for name, place, part in parts:
        for key, own in _arguments(name, part).items():
            # A 2D network's frames are one from each of equal parts of the video.
            if key == STRIDE and part.get('clip_len') == 1:
                continue
            if (trained := inputs.get(key, own)) != own:
                where = f'{place}.{key.partition(".")[2]}'
                yield Difference(key, where, part, own, trained)


def with_saved_inputs(cfg: Config, saved: SavedRun, options: Sequence[str] | None = None) -> Config:
    """Put the inputs that a student was trained for into a downstream config, and log changes.

    What the user chose stays, with a warning: values of an option, of a data set's file, and of a
    config that is not shipped. The config stays unchanged if nothing differs.

    Args:
        options: Words of ``--cfg-options`` that the config contains.

    Raises:
        ConfigError: The config has a transform that the training did not have, lacks one that it
            had, or has another number of streams.
        CheckpointError: The file records an invalid value.
    """
    fitted = copy.deepcopy(cfg)
    is_shipped = CONFIGS.resolve() in Path(cfg.filename or '').resolve().parents
    given = tuple(f'{word.partition("=")[0]}.' for word in options or ())
    lines: dict[str, tuple[str, int]] = {}
    is_changed = False
    with reading(saved.path, FIX, CheckpointError):
        inputs = student_inputs(saved)
    differences = [*_differences(fitted, inputs)]
    # A choice for one of the two splits is one for both.
    chosen = {
        one.key
        for one in differences
        if not is_shipped
        or f'{one.place}.'.startswith(given)
        or (one.key in OF_SETS and cfg.get(OF_SETS[one.key]) == one.own)
    }
    for one in differences:
        with reading(saved.path, FIX, CheckpointError):
            _check_value(one)
        trained, own = (_words(one.key, value) for value in (one.trained, one.own))
        if one.key in chosen:
            line = f'trained {trained}, and evaluated {own}, which is kept as your choice'
            if not one.is_structural:
                line += f': --cfg-options {one.place}={_text(one.trained)} evaluates it as trained'
            lines.setdefault(one.key, (line, logging.WARNING))
            continue
        if one.is_structural:
            raise ConfigError(
                f'{saved.path}: trained {trained}, and {cfg.filename} evaluates it {own}: give a '
                'downstream config with the inputs of the training, your own if '
                'configs/downstream/ has none'
            )
        with reading(saved.path, FIX, CheckpointError):
            kind = 'preprocessor' if one.key.startswith(PREPROCESSOR) else 'transform'
            plain_part({**one.part, one.argument: one.trained}, kind, one.place)
        one.part[one.argument] = one.trained
        is_changed = True
        line = f'trained {trained}, not {_text(one.own)}, and evaluated the same way'
        lines.setdefault(one.key, (line, logging.INFO))
    for line, level in lines.values():
        print_log(f'{saved.path}: {line}', 'current', level)
    return fitted if is_changed else cfg


def _check_value(one: Difference) -> None:
    """Raise ValueError for a recorded value that cannot be used: the file is untrusted."""
    if one.own is not None and _kind(one.trained) is not _kind(one.own):
        raise ValueError(f'{one.key} is {_text(one.trained)}, a value of another type')
    if one.key.partition('.')[0] in FRAMES and (
        type(one.trained) is not int or not 1 <= one.trained <= MAX_FRAMES
    ):
        raise ValueError(f'{one.key} is {_text(one.trained)}, not a number of 1 to {MAX_FRAMES}')
    if one.argument == 'std' and not all(_kind(v) is Number and v > 0 for v in one.trained):
        raise ValueError(f'{one.key} is {_text(one.trained)}, and deviations are above 0')


def _kind(value: Any) -> type:
    """Type of a value, the same for all numbers."""
    return Number if isinstance(value, Number) else type(value)


def _words(key: str, value: Any) -> str:
    """``with KEY=VALUE``, or with or without a transform."""
    if '.' in key:
        return f'with {key}={_text(value)}'
    return f'with {key}' if value else f'without {key}'


def _text(value: Any) -> str:
    """Value as in an option, without control characters, of bounded length."""
    return json.dumps(value, default=str).replace(' ', '').strip('"')[:80]
