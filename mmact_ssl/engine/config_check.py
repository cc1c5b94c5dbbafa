"""Checks for config mistakes that mmengine accepts silently, before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmact_ssl.engine.unwrap import unwrap_model
from mmact_ssl.errors import SHOW_PLACE, ConfigError, MMActSSLError, reason_of

# Dicts of parts by name, where None switches an inherited part off.
SWITCHES = ('model.heads', 'model.adapters', 'model.teachers', 'default_hooks')
# Top-level keys that programs read and a config may lack.
KNOWN = {
    *list(inspect.signature(Runner.__init__).parameters)[1:],
    *('auto_scale_lr', 'custom_imports', 'env_cfg', 'feature_deviation', 'feature_pooling'),
    *('finetune', 'find_unused_parameters', 'model_wrapper_cfg', 'linear', 'linear_adam', 'knn'),
    *('retrieval', 'resume', 'compile', 'efficient_conv_bn_eval'),
    *('fewshot', 'shared_label_pattern', 'sync_bn'),
}
# All top-level keys that programs and parts of this package read after a config is loaded.
READ = KNOWN | {
    *('backbone_name', 'bodies', 'dataset_name', 'joint', 'lda'),
    *('own_folder', 'prepare_command', 'synthetic', 'dataset', 'runs', 'seeds'),
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


def nearest(name: str, known: Iterable[str]) -> str:
    """The fix of a misspelt name."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'did you mean {close[0]}?' if close else f'there are {", ".join(sorted(known))}'


def check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Check the keys of command-line options.

    Raises:
        ConfigError: No program reads the key, a key beside it has nearly its name, or it switches
            off a part that the config does not have. The error names the nearest key.
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
        if value is None and key in {f'{switch}.{name}' for switch in SWITCHES}:
            raise ConfigError(f'{key}=None switches nothing off: {nearest(name, part)}')
        close = get_close_matches(name, map(str, part), n=1, cutoff=0.85)
        if close and f'{path}{name}.type' not in options:  # that would be another part
            raise ConfigError(f'--cfg-options {key}: did you mean {path}{close[0]}?')


def check_config(cfg: Config) -> None:
    """Check that no top-level key of a config file is misspelt; variables may have other names.

    Raises:
        ConfigError: A key has nearly the name of one that is read, which the error names; or
            mmengine would recompute activations.
    """
    if cfg.get('activation_checkpointing'):
        raise ConfigError(
            'activation_checkpointing would count the statistics of each batch twice: leave it '
            'out, and take a smaller batch with optim_wrapper.accumulative_counts'
        )
    for key in cfg:
        close = get_close_matches(key, KNOWN, n=1, cutoff=0.85)
        if key not in KNOWN and close:
            raise ConfigError(f'{key}: did you mean {close[0]}?')


@contextmanager
def errors_while_building(cfg: Config) -> Iterator[SimpleNamespace]:
    """Turn any error before the end of the first training step into a ConfigError.

    The error names the config, or the task that failed to run. Later errors keep their traceback.

    Yields:
        Namespace; set its ``runner`` to the runner once it is built.
    """
    built = SimpleNamespace(runner=None)
    try:
        yield built
    except (MMActSSLError, OSError, MemoryError):
        raise
    except Exception as error:
        steps = getattr(getattr(built.runner, '_train_loop', None), 'iter', 0)
        if steps:
            raise
        model = unwrap_model(getattr(built.runner, 'model', None))
        task = getattr(model, 'current_task', None)
        where = f'model.heads.{task} does not fit its inputs or targets' if task else cfg.filename
        raise ConfigError(
            f'{where}: {reason_of(error)}: correct the config, or the part of yours; {SHOW_PLACE}'
        ) from error
