"""Configs of encoders, and the values of their options.

A checkpoint and a published file record the name of the config and the values. Nothing else in them
describes the network: it is built from the shipped config, or from one that the user names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmact_ssl.configs.shipped_configs import CONFIGS, load_config
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.io.files import reading, shown
from mmact_ssl.io.hf_folder import read_model

ENCODERS = CONFIGS / 'encoders'
SHIPPED = 'mmact_ssl::encoders/'
FIX = 'give --encoder, a name in configs/encoders/ or the encoder.py of its training'
# Least and greatest values of options. The largest clip of a video has 400 MB.
RANGES = {
    'side': (16, 512),
    'frames': (1, 128),
    'longest': (1, 100_000),
    'stride': (1, 1000),
    'persons': (1, 16),
    'coordinates': (2, 3),
}
LAYOUT = re.compile(r'[a-z]\w{0,30}')
NUMBER = re.compile(r'[0-9]{1,9}')
OPTION = re.compile(r'\$(\w+)')


@dataclass(frozen=True)
class EncoderConfig:
    """The parts of an encoder config, with the values of its options in place.

    Attributes:
        source: ``mmact_ssl::encoders/NAME.py``, or the path of a config of the user.
        name: Name of the network in results.
        options: Value of each option.
        backbone, preprocessor: Configs of the network, and of the module that normalizes a batch.
        channels: Channels of the backbone's last map.
        clip: Transforms from a file to a sample, without augmentation.
        finetune: Recognizer, augmentation and schedule of fine-tuning.
        pooling: Config of the pooling of skeletons; None: the mean over positions.
        deviation: Features are the mean and the standard deviation over a video's clips.
        motion: Constants of the descriptor of motion that is joined to a feature, see
            :func:`mmact_ssl.encoders.encoder.join_motion`; None: none.
    """

    source: str
    name: str
    options: dict[str, int | str]
    backbone: dict[str, Any]
    preprocessor: dict[str, Any]
    channels: int
    clip: list[dict[str, Any]]
    finetune: dict[str, Any]
    pooling: dict[str, Any] | None = None
    deviation: bool = False
    motion: dict[str, Any] | None = None

    @property
    def is_skeleton(self) -> bool:
        """True if it reads skeletons, False if it reads videos."""
        return self.pooling is not None

    @property
    def layout(self) -> str:
        """Layout of the skeletons that the network reads; '' for videos."""
        network = self.backbone.get('encoder', self.backbone)
        return str(network.get('layout', ''))

    @property
    def network_dim(self) -> int:
        """Length of the network's part of a feature."""
        has_maximum = (self.pooling or {}).get('mode') == 'mean_max'
        return self.channels * 2 ** (self.deviation + has_maximum)

    @property
    def feature_dim(self) -> int:
        """Length of a feature."""
        return self.network_dim + (self.motion or {}).get('channels', 0)

    @property
    def record(self) -> dict[str, Any]:
        """The config and the options, as checkpoints and cards hold them."""
        return {'config': self.source, 'options': dict(self.options)}


def place_encoder(config: Config, changes: Collection[str] = ()) -> None:
    """Put the values of a pre-training config's encoder in place of each text ``'$option'``.

    Those are its options and the ``mean`` and ``std`` of its normalization. An option that neither
    the config nor the command line has set is that of the data set's ``encoder_options``.

    Args:
        changes: Keys that the command line has set.

    Raises:
        ConfigError: The encoder has no such option or value, a name has no value, or the command
            line sets an option that no part follows any more.
    """
    values: dict[str, Any] = {}
    if 'encoder' in config:
        source = str(config.filename)
        changed = [key for key in changes if key.startswith('encoder.options.')]
        if changed and not any(names_options(config[key]) for key in config if key != 'encoder'):
            raise ConfigError(
                f'{source}: its views do not follow {changed[0]}: change it in the config that '
                'this file was written from'
            )
        parts = check_parts(config.encoder, source)
        options, name = parts['options'], parts.get('name')
        is_shipped = name in shipped_encoders()
        defaults = load_config(f'{SHIPPED}{name}.py').encoder.options if is_shipped else options
        given = {
            key: value
            for key, value in options.items()
            if value != defaults.get(key) or f'encoder.options.{key}' in changed
        }
        config.encoder = set_options(parts, config.get('encoder_options'), given, source)
        values = {key: parts['preprocessor'].get(key) for key in ('mean', 'std')}
        values.update(config.encoder.options)
    for key in [key for key in config if key != 'encoder']:
        config[key] = fill(config[key], values)


def names_options(part: Any) -> bool:
    """True if a part of a config has a text ``'$option'``."""
    if isinstance(part, str):
        return OPTION.fullmatch(part) is not None
    parts = part.values() if isinstance(part, Mapping) else part
    return isinstance(part, (Mapping, list, tuple)) and any(map(names_options, parts))


def read_record(record: Any, path: str) -> EncoderConfig:
    """Read the encoder that an untrusted file names.

    Raises:
        CheckpointError: The record is damaged, or names a config that is not shipped.
    """
    if not isinstance(record, Mapping):
        raise CheckpointError(f'{path}: does not record its encoder: {FIX}')
    source, options = record.get('config'), record.get('options')
    with reading(path, FIX, CheckpointError):
        if source not in [f'{SHIPPED}{name}.py' for name in shipped_encoders()]:
            raise CheckpointError(
                f'{path}: its encoder {shown(source)} is not one of the package: {FIX}'
            )
        if not isinstance(options, Mapping):
            raise CheckpointError(f'{path}: its encoder has no table of options: {FIX}')
        if 'model' in options:
            raise CheckpointError(f'{path}: its encoder is in another folder: {FIX}')
        try:
            return read_encoder(source, options)
        except ConfigError as error:
            raise CheckpointError(f'{path}: {error}: {FIX}') from None


def read_encoder(
    text: str, options: Mapping[str, Any] | None = None, of_set: Mapping[str, Any] | None = None
) -> EncoderConfig:
    """Read an encoder config.

    Args:
        text: Name of a shipped encoder, ``mmact_ssl::encoders/NAME.py`` or the path of a config,
            and values of options: ``'tsm-lite0,side=224'``.
        options: More values of options; the others have the config's defaults.
        of_set: ``encoder_options`` of a data set, which replace the defaults of those options that
            the encoder has.

    Raises:
        ConfigError: There is no such config, it is not one of an encoder, or it has no such option
            or value.
    """
    source, *words = text.split(',')
    if source in shipped_encoders():
        source = f'{SHIPPED}{source}.py'
    elif not source.endswith('.py'):
        known = ', '.join(shipped_encoders())
        raise ConfigError(f'--encoder {source}: there is no such encoder, there are {known}')
    given: dict[str, Any] = dict(options or {})
    for word in words:
        name, _, value = word.partition('=')
        given[name] = int(value) if NUMBER.fullmatch(value) else value
    declared = check_parts(load_config(source).get('encoder'), source)
    parts = {'name': Path(source).stem, **set_options(declared, of_set, given, source)}
    if model := parts['options'].get('model'):
        parts['name'] += f'-{Path(model).name}'
    side = parts['options'].get('side')
    if side != declared['options'].get('side'):  # results of both stand side by side
        parts['name'] += f'-{side}'
    return EncoderConfig(source, **parts)


def check_parts(encoder: Any, source: str) -> Mapping[str, Any]:
    """Return the ``encoder`` of a config if it has all parts and no other.

    Raises:
        ConfigError: It has not; the error names the parts.
    """
    where = f'{source}: not the config of an encoder'
    if not isinstance(encoder, Mapping):
        raise ConfigError(f'{where}: see configs/encoders/')
    parts = [field for field in fields(EncoderConfig) if field.name != 'source']
    needed = {field.name for field in parts if field.default is MISSING} - {'name'}
    missing, unknown = needed - {*encoder}, {*encoder} - {field.name for field in parts}
    if missing or unknown:
        names = [*(f'no {name}' for name in missing), *(shown(name) for name in unknown)]
        raise ConfigError(f'{where}, it has {", ".join(sorted(names))}: see configs/encoders/')
    tables = ('options', 'backbone', 'preprocessor', 'finetune')
    wrong = [name for name in tables if not isinstance(encoder[name], Mapping)]
    if not wrong and not isinstance(encoder['finetune'].get('settings'), Mapping):
        wrong = ['finetune.settings']
    if wrong:
        raise ConfigError(f'{where}: {" and ".join(wrong)} must be a dict')
    return encoder


def shipped_encoders() -> list[str]:
    """Names of the shipped encoders."""
    return sorted(path.stem for path in ENCODERS.glob('*.py'))


def set_options(
    parts: Mapping[str, Any],
    of_set: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    source: str,
) -> dict[str, Any]:
    """Replace the default options of an encoder by those of a data set, and these by given ones.

    Puts the values in place in all parts; the settings that a data set may give stay names.

    Raises:
        ConfigError: There is no such option, or it cannot have the value.
    """
    defaults = parts['options']
    from_set = {name: value for name, value in (of_set or {}).items() if name in defaults}
    options = {**defaults, **from_set, **given}
    for name, value in options.items():
        if name not in defaults:
            known = ', '.join(defaults) or 'none'
            raise ConfigError(f'{source}: has no option {shown(name)}, its options: {known}')
        if name == 'model' or value == defaults[name] == 0:
            continue
        if name not in RANGES:
            if not isinstance(value, str) or not LAYOUT.fullmatch(value):
                raise ConfigError(f'{source}: {name}={shown(value)}: give a name')
            continue
        low, high = RANGES[name]
        if type(value) is not int or not low <= value <= high:
            raise ConfigError(f'{source}: {name}={shown(value)}: give a number of {low} to {high}')
    # A setting stands for itself: read_evaluation fills it in, once the data set is read.
    values: dict[str, Any] = {name: f'${name}' for name in parts['finetune']['settings']}
    if 'model' in options:  # of transformers: its files give what the options do not
        found = read_model(str(options['model']), options['frames'])
        options['frames'] = found.frames
        values.update(channels=found.channels, folder=str(found.folder))
    return fill({**parts, 'options': options}, {**options, **values})


def fill(part: Any, values: Mapping[str, Any]) -> Any:
    """Copy a part of a config, with the value of a name for each text ``'$name'``.

    Raises:
        ConfigError: There is no value of the name.
    """
    if isinstance(part, Mapping):
        return {key: fill(item, values) for key, item in part.items()}
    if isinstance(part, (list, tuple)):
        return type(part)(fill(item, values) for item in part)
    match = OPTION.fullmatch(part) if isinstance(part, str) else None
    if match is None:
        return part
    if match[1] not in values:
        known = ', '.join(values) or 'none: inherit one of configs/encoders/'
        raise ConfigError(f'{part}: the encoder has no such option, it has {known}')
    return values[match[1]]
