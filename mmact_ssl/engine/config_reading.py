"""Reading a config: its data, the options of the command line, and mistakes in both."""

from __future__ import annotations

import argparse
import inspect
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from mmact_ssl.configs.encoder_config import place_encoder
from mmact_ssl.configs.shipped_configs import SET_VARIABLE, find_set, load_config
from mmact_ssl.datasets.prepared_folder import FOLDER_VARIABLE
from mmact_ssl.datasets.skeleton_folder import META
from mmact_ssl.engine.terminal import log_once
from mmact_ssl.errors import ConfigError, KindError
from mmact_ssl.io.files import reading
from mmact_ssl.io.schema import conform

# Dicts of parts by name, where None switches an inherited part off.
SWITCHES = ('model.heads', 'model.adapters', 'model.teachers', 'default_hooks')
# Top-level keys that programs read and a config may lack.
KNOWN = {
    *list(inspect.signature(Runner.__init__).parameters)[1:],
    *('auto_scale_lr', 'custom_imports', 'env_cfg'),
    *('finetune', 'find_unused_parameters', 'model_wrapper_cfg', 'linear', 'knn'),
    *('retrieval', 'resume', 'compile', 'efficient_conv_bn_eval'),
    *('fewshot', 'shared_label_pattern', 'sync_bn'),
}
# All top-level keys that programs and parts of this package read after a config is loaded.
READ = KNOWN | {
    *('dataset_name', 'joint', 'lda'),
    *('encoder', 'encoder_options', 'own_folder', 'prepare_command', 'synthetic'),
}
# Usual name of a setting, often a variable of the config file -> key that is read.
PLACES = {
    **dict.fromkeys(('epochs', 'max_epochs'), 'train_cfg.max_epochs'),
    **dict.fromkeys(('steps', 'max_iters'), 'train_cfg.max_iters'),
    'batch_size': 'train_dataloader.batch_size',
    'num_workers': 'train_dataloader.num_workers',
    'lr': 'optim_wrapper.optimizer.lr',
    'seed': 'randomness.seed',
    'vis_backends': 'visualizer.vis_backends',
}
# Values that would fail late, or after folders are written.
POSITIVE = Annotated[int, range(1, 1 << 31)]
LOADERS = ('train_dataloader', 'test_dataloader')
VALUES: Mapping[str, Any] = {
    **dict.fromkeys((*LOADERS, 'model', 'train_cfg', 'optim_wrapper', 'randomness'), dict),
    **{f'train_cfg.{name}': POSITIVE for name in ('max_epochs', 'max_iters')},
    **{f'{name}.batch_size': POSITIVE for name in LOADERS},
    **{f'{name}.num_workers': Annotated[int, range(1 << 12)] for name in LOADERS},
    'randomness.seed': Annotated[int, range(1 << 32)],
}


def read_config(
    path: str,
    options: Sequence[str] | None = None,
    data: str | None = None,
    dataset: str | None = None,
) -> Config:
    """Read a config and apply options, see :func:`parse_cfg_options`.

    Args:
        path: Of the config, see :func:`find_config`.
        options: Words of ``--cfg-options``.
        data: Prepared folder, for configs that name no data set.
        dataset: Name or path of a set (``--set``), for such configs, in place of a folder.

    Raises:
        KindError: The config reads videos and the data are skeletons, or the other way round.
    """
    if data is not None and dataset is not None:
        raise ConfigError('--data and --set both name what is read: give one of them')
    with data_environment(data, dataset):
        cfg = load_config(path)
    takes_data = 'own_folder' in cfg or (data is None and SET_VARIABLE in cfg.env_variables)
    if (data, dataset) != (None, None) and not takes_data:
        raise ConfigError(
            f'{path} names its own data set: leave --{"set" if data is None else "data"} out, or '
            'take a config that names none, such as configs/dtg_tsm-lite0.py'
        )
    if why := cfg.get('own_folder', {}).get('no_flip'):
        log_once(f'{data}: {why}')
    loader = cfg.get('train_dataloader') or {}
    if 'batch_size' in loader and 'auto_scale_lr' not in cfg:  # the rate is for the file's batch
        steps = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
        cfg.auto_scale_lr = dict(base_batch_size=steps * loader['batch_size'])
    changes: dict[str, Any] = {}
    if options:
        changes = parse_cfg_options(options)
        check_options(cfg, changes)
        cfg.merge_from_dict(changes)
    check_config(cfg)
    place_encoder(cfg, changes)  # after the changes, which may be of its options
    training = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    holds = 'skeletons' if 'skeleton' in training.get('data_prefix', {}) else 'videos'
    reads = 'skeletons' if 'Skeleton' in str(training.get('type')) else 'videos'
    if 'data_prefix' in training and reads != holds:
        raise KindError(
            f'{data or dataset} holds {holds}, and {cfg.filename} reads {reads}: take a '
            'config for videos, such as configs/dtg_tsm-lite0.py, or for skeletons, such as '
            'configs/ms2l-twoview_gru.py'
        )
    # yapf takes a second or more, four times before the first step and for each checkpoint.
    # fromfile drops mmengine's own argument against it.
    object.__setattr__(cfg, '_format_python_code', False)
    return cfg


@contextmanager
def data_environment(folder: str | None, dataset: str | None = None) -> Iterator[None]:
    """Set the environment variables by which configs read a data set; None leaves one unchanged.

    Args:
        folder: A prepared folder, for ``folder.py`` or ``folder-skeleton.py`` of the sets.
        dataset: Name or path of a set, see :func:`find_set`; it goes before ``folder``.
    """
    if not dataset and folder:
        dataset = 'folder-skeleton' if Path(folder, META).is_file() else 'folder'
    variables = {} if folder is None else {FOLDER_VARIABLE: folder}
    if dataset:
        variables[SET_VARIABLE] = find_set(dataset)
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def parse_cfg_options(words: Sequence[str] | None) -> dict[str, Any]:
    """Read the words of ``--cfg-options``, ``['train_cfg.max_epochs=5', ...]``.

    Values are read as by mmengine, but a text keeps its blanks, and one in quotes also its commas
    and brackets. Programs pass the words unparsed: importing DictAction takes seconds, too long for
    ``--help``.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('options', nargs='+', action=DictAction)
    options: dict[str, Any] = {}
    for word in words or ():
        key, is_option, text = word.partition('=')
        if not is_option:
            raise ConfigError(f'--cfg-options {word}: write KEY=VALUE')
        if text[:1] in ('"', "'") and text[1:].endswith(text[0]):
            options[key] = text[1:-1]
            continue
        value = parser.parse_args(['--', word]).options[key]
        options[key] = text if isinstance(value, str) else value  # mmengine takes out blanks
    return options


def check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Check the keys of command-line options.

    Raises:
        ConfigError: No program reads the key, a key beside it has nearly its name, it switches off
            a part that the config does not have, or the encoder has no such option. The error names
            the nearest key.
    """
    for key, value in options.items():
        top = key.partition('.')[0]
        if top not in READ:
            place = f'did you mean {PLACES[top]}?' if top in PLACES else ''
            if top in cfg:
                raise ConfigError(
                    f'--cfg-options {key}: {top} is a variable of the config file, which is read '
                    f'only while it loads: {place or "change the part that is made of it"}'
                )
            raise ConfigError(f'--cfg-options {key}: {place or nearest(top, READ)}')
        if key.startswith('encoder.backbone'):
            raise ConfigError(f'--cfg-options {key}: change model.backbone, which is trained')
        part, path, name = follow(cfg, key)
        if not name or not isinstance(part, Mapping):
            continue
        if path == 'encoder.options.':
            raise ConfigError(f'--cfg-options {key}: no such option, {nearest(name, part)}')
        if value is None and path.rstrip('.') in SWITCHES and key == path + name:
            raise ConfigError(f'{key}=None switches nothing off: {nearest(name, part)}')
        close = get_close_matches(name, map(str, part), n=1, cutoff=0.85)
        if close and f'{path}{name}.type' not in options:  # that would be another part
            raise ConfigError(f'--cfg-options {key}: did you mean {path}{close[0]}?')


def follow(cfg: Config, key: str) -> tuple[Any, str, str]:
    """Follow a key as far as a config has it.

    Returns:
        The last part, its key with a dot, and the name that it lacks; '' if it has the whole key.
    """
    part: Any = dict(cfg.items())
    path = ''
    for name in key.split('.'):
        is_index = isinstance(part, (list, tuple)) and name.isdecimal() and int(name) < len(part)
        if not is_index and not (isinstance(part, Mapping) and name in part):
            return part, path, name
        part = part[int(name) if is_index else name]
        path += f'{name}.'
    return part, path, ''


def nearest(name: str, known: Iterable[str]) -> str:
    """The fix of a misspelt name."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean {close[0]}?' if close else f'there are {", ".join(sorted(known))}'


def check_config(cfg: Config) -> None:
    """Check the values of a config, and that no top-level key is misspelt.

    Raises:
        ConfigError: A key cannot have its value (None is always one), or has nearly the name of
            one that is read; variables may have other names. Or activations would be recomputed.
    """
    for key, kind in VALUES.items():
        top, _, name = key.partition('.')
        value = (cfg.get(top) or {}).get(name) if name else cfg.get(top)
        with reading(str(cfg.filename), 'correct it, or --cfg-options', ConfigError):
            conform(value, kind | None, key)
    model = cfg.get('model') or {}
    recomputed = {'activation_checkpointing': cfg.get('activation_checkpointing')}
    if 'heads' in model:
        recomputed['model.backbone.with_cp'] = (model.get('backbone') or {}).get('with_cp')
    if keys := [key for key, value in recomputed.items() if value]:
        raise ConfigError(
            f'{keys[0]} would count the statistics of each batch twice: leave it out, and take a '
            'smaller batch with optim_wrapper.accumulative_counts'
        )
    for key in cfg:
        close = get_close_matches(key, KNOWN, n=1, cutoff=0.85)
        if key not in KNOWN and close:
            raise ConfigError(f'{key}: did you mean {close[0]}?')
