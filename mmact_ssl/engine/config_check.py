"""Checks for config mistakes that mmengine accepts silently, before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.errors import ConfigError
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


def check_values(cfg: Config) -> None:
    """Raise ConfigError for a value that its key cannot have; None is always one."""
    for key, kind in VALUES.items():
        top, _, name = key.partition('.')
        value = (cfg.get(top) or {}).get(name) if name else cfg.get(top)
        with reading(str(cfg.filename), 'correct it, or --cfg-options', ConfigError):
            conform(value, kind | None, key)


def nearest(name: str, known: Iterable[str]) -> str:
    """The fix of a misspelt name."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean {close[0]}?' if close else f'there are {", ".join(sorted(known))}'


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
        part: Any = dict(cfg.items())
        path = ''
        for name in key.split('.'):
            if isinstance(part, (list, tuple)) and name.isdecimal() and int(name) < len(part):
                part = part[int(name)]
            elif isinstance(part, Mapping) and name in part:
                part = part[name]
            else:
                break
            path += f'{name}.'
        else:
            continue
        if not isinstance(part, Mapping):
            continue
        if path == 'encoder.options.':
            raise ConfigError(f'--cfg-options {key}: no such option, {nearest(name, part)}')
        if value is None and key in {f'{switch}.{name}' for switch in SWITCHES}:
            raise ConfigError(f'{key}=None switches nothing off: {nearest(name, part)}')
        close = get_close_matches(name, map(str, part), n=1, cutoff=0.85)
        if close and f'{path}{name}.type' not in options:  # that would be another part
            raise ConfigError(f'--cfg-options {key}: did you mean {path}{close[0]}?')


def check_config(cfg: Config) -> None:
    """Check that no top-level key of a config file is misspelt; variables may have other names.

    Raises:
        ConfigError: A key has nearly the name of one that is read, which the error names; or
            activations would be recomputed.
    """
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
