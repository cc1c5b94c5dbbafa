"""Checks for config mistakes that mmengine accepts silently, before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import cache
from itertools import product
from string import Formatter
from types import SimpleNamespace
from typing import Any

import mmengine.registry
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmact_ssl import registry
from mmact_ssl.engine.unwrap import unwrap_model
from mmact_ssl.errors import SHOW_PLACE, ConfigError, MMActSSLError, reason_of

REGISTRIES = [
    value
    for module in (registry, mmengine.registry)
    for value in vars(module).values()
    if isinstance(value, registry.Registry)
]
# Dicts of parts by name, where None switches an inherited part off.
SWITCHES = ('model.heads', 'model.adapters', 'model.teachers', 'default_hooks')
# Top-level keys that programs read and a config may lack.
KNOWN = {
    *list(inspect.signature(Runner.__init__).parameters)[1:],
    *('auto_scale_lr', 'custom_imports', 'env_cfg', 'feature_deviation', 'feature_pooling'),
    *('finetune', 'find_unused_parameters', 'model_wrapper_cfg', 'linear', 'linear_adam', 'knn'),
    *('retrieval', 'resume', 'compile', 'activation_checkpointing', 'efficient_conv_bn_eval'),
    *('fewshot', 'shared_label_pattern', 'sync_bn', 'text_retrieval', 'zeroshot'),
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
_LOADER = {*inspect.signature(DataLoader.__init__).parameters, 'num_batch_per_epoch'}
_LOADER -= {'self', 'shuffle'}
_WRAPPER = {'constructor', 'paramwise_cfg', 'adversary', 'loss_scale', 'dtype', 'use_fp16'}
# Keys of dicts without a type, and extra keys that mmengine takes from dicts with one.
UNTYPED = {
    'train_dataloader': _LOADER,
    'val_dataloader': _LOADER,
    'test_dataloader': _LOADER,
    'auto_scale_lr': {'enable', 'base_batch_size'},
    'model.momentum_encoder': {'views', 'momentum', 'dtype'},
    'model.teachers.*': {'views', 'teacher'},
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
}
EXTRA = {
    'default_hooks': {'priority'},
    'custom_hooks': {'priority'},
    'optim_wrapper': _WRAPPER,
    'train_cfg': {'by_epoch'},
    'param_scheduler': {'convert_to_iter_based'},
}
# Classes of mmengine and mmaction2 that forward **kwargs to their base class, as this package's
# classes do. Other classes with **kwargs take any argument, except those in TO_FUNCTION.
TO_BASE = {
    *('LRSchedulerMixin', 'MomentumSchedulerMixin', 'BaseActionDataset', 'VideoDataset'),
    *('GCNHead', 'I3DHead', 'ResNetTSM'),
}
TO_FUNCTION = {CheckpointHook: dict(inspect.signature(Runner.save_checkpoint).parameters)}
FEW = 8  # names that fit into an error
# Key of a config -> registry of the parts below it, unless a key further inside has another.
KINDS = {
    **dict.fromkeys(('pipeline', 'transforms'), registry.TRANSFORMS),
    **dict.fromkeys(('custom_hooks', 'default_hooks'), registry.HOOKS),
    **dict.fromkeys(('val_evaluator', 'test_evaluator'), registry.METRICS),
    'dataset': registry.DATASETS,
    'model': registry.MODELS,
    'optim_wrapper': registry.OPTIM_WRAPPERS,
    'optimizer': registry.OPTIMIZERS,
    'param_scheduler': registry.PARAM_SCHEDULERS,
    'sampler': registry.DATA_SAMPLERS,
    'vis_backends': registry.VISBACKENDS,
}
DEFAULT_TYPES = {'optim_wrapper': 'OptimWrapper', 'train_cfg': 'EpochBasedTrainLoop'}


def nearest(name: str, known: Iterable[str]) -> str:
    """The fix of a misspelt name. Few names are all listed, as the nearest may not be meant."""
    known = sorted(map(str, known))
    are_few = len(known) <= FEW
    close = get_close_matches(name, known, n=1, cutoff=0.7 if are_few else 0.5)
    listed = ', '.join(known) or 'none'
    if not close:
        return f'there are {listed}'
    return f'did you mean {close[0]}?' + (f' There are {listed}' if are_few else '')


@contextmanager
def checked_merging() -> Iterator[None]:
    """Refuse ``None`` for a part that the config does not have, while configs are merged."""
    merge = Config._merge_a_into_b

    def check_and_merge(a: dict, b: dict, allow_list_keys: bool = False) -> dict:
        for switch in SWITCHES:
            there = _get(b, switch)
            for name, value in (_get(a, switch) or {}).items():
                if value is None and there and name not in there:
                    raise ConfigError(
                        f'{switch}.{name}=None switches nothing off: {nearest(name, there)}'
                    )
        return merge(a, b, allow_list_keys)

    Config._merge_a_into_b = staticmethod(check_and_merge)
    try:
        yield
    finally:
        Config._merge_a_into_b = staticmethod(merge)


def check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Check that command-line options begin with a key that is read after a config is loaded.

    Raises:
        ConfigError: No program reads the key; the error names a key that is read.
    """
    for key in options:
        name = key.partition('.')[0]
        if name in READ:
            continue
        place = f'did you mean {PLACES[name]}?' if name in PLACES else ''
        if name in cfg:
            raise ConfigError(
                f'--cfg-options {key}: {name} is a variable of the config file, which is read only '
                f'while it loads: {place or "change the part that is made of it"}'
            )
        raise ConfigError(f'--cfg-options {key}: {place or nearest(name, READ)}')


def check_config(cfg: Config) -> None:
    """Check the names of all keys, and the types of numbers.

    Raises:
        ConfigError: A key is unknown or not a number; the error names the nearest key.
    """
    for key, value in cfg.items():
        close = get_close_matches(key, KNOWN, n=1, cutoff=0.85)
        if key not in KNOWN and close:
            raise ConfigError(f'{key}: did you mean {close[0]}?')
        if key in KNOWN:
            _check(key, value, key, cfg.get('default_scope') or registry.SCOPE)
    if _get(cfg.get('default_hooks'), 'checkpoint.max_keep_ckpts') == 1:
        raise ConfigError(
            'default_hooks.checkpoint.max_keep_ckpts=1 deletes the only checkpoint before the next '
            'one is saved: keep 2'
        )


def _check(path: str, value: Any, root: str, scope: str) -> None:
    if isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            _check(f'{path}.{index}', part, root, scope)
    elif isinstance(value, str) and value.startswith('~'):
        raise ConfigError(f'{path}={value}: ~ is not expanded, write the path in full')
    if not isinstance(value, Mapping):
        return
    arguments = dict(value)
    kind = arguments.pop('type', DEFAULT_TYPES.get(path))
    allowed: dict[str, Any] | None = None
    if isinstance(kind, str):
        own = value.get('_scope_', scope)
        allowed = _arguments(path, kind, {*arguments, *EXTRA.get(root, ())} - {'_scope_'}, own)
    elif names := UNTYPED.get(path) or UNTYPED.get(f'{path.rpartition(".")[0]}.*'):
        allowed = dict.fromkeys(names)
    for key, part in arguments.items():
        extra = EXTRA.get(root, set())
        if allowed is not None and key not in allowed and key not in extra and key != '_scope_':
            raise ConfigError(
                f'{path}.{key}: {kind or path} has no such argument, '
                f'{nearest(key, {*allowed, *extra})}'
            )
        default = None if allowed is None else allowed.get(key)
        if isinstance(part, str) and type(default) in (int, float):
            raise ConfigError(f'{path}.{key}={part!r} is not a number, such as {default}')
        _check(f'{path}.{key}', part, root, scope)


def _arguments(path: str, kind: str, keys: set[str], scope: str) -> dict[str, Any] | None:
    """Arguments of a registered part with their defaults; None if it takes any."""
    parts = _find(kind, scope)
    if not parts:
        if '.' in kind:  # of another package, or the path of a class
            return None
        wanted = next((KINDS[key] for key in reversed(path.split('.')) if key in KINDS), None)
        kinds = [*REGISTRIES]
        if wanted is not None:  # this package's, mmengine's and that of the config's scope
            kinds = [wanted, *filter(None, [wanted.parent, wanted.parent.children.get(scope)])]
        names = {name for registered in kinds for name in registered.module_dict}
        raise ConfigError(
            f'{path}.type={kind!r}: nothing has this name, {nearest(kind, names)} (or name '
            'the module of a part of yours in custom_imports)'
        )
    candidates = [accepted for part in parts if (accepted := _accepted(part)) is not None]
    if len(candidates) < len(parts):
        return None
    # A model and a transform may have the same name: take the part that fits the keys best.
    return max(candidates, key=lambda names: len(keys & names.keys()))


@cache
def _find(kind: str, scope: str) -> list[Any]:
    """All parts with this name in the registries of this package and of the config's scope."""
    parts: list[Any] = []
    names = [kind] if scope == registry.SCOPE or '.' in kind else [f'{scope}.{kind}', kind]
    for root, name in product(REGISTRIES, names):
        with suppress(Exception):  # a package that is not installed; the builder names it
            if '.' in name or _knows(root, name):
                parts += filter(None, [root.get(name)])
    return parts


def _knows(root: Registry | None, name: str) -> bool:
    """True if a registry or its parent has a name; ``get`` would import an unknown name."""
    while root is not None:
        root.import_from_location()
        if name in root.module_dict:
            return True
        root = root.parent
    return False


def _accepted(part: Any) -> dict[str, Any] | None:
    """Arguments of a part and of the bases that it forwards ``**kwargs`` to; None: any."""
    makers = {part: part}
    if inspect.isclass(part):
        makers = {b: vars(b)['__init__'] for b in part.__mro__ if '__init__' in vars(b)}
    names: dict[str, Any] = {}
    for template in getattr(part, 'inputs', None) or {}:  # a head's inputs name its arguments
        for _, field, _, _ in Formatter().parse(part.inputs[template]):
            names.update({field: None} if field else {})
    for owner, maker in makers.items():
        try:
            parameters = inspect.signature(maker).parameters.values()
        except (TypeError, ValueError):
            return None
        for parameter in parameters:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                names.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            names.pop('self', None)
            return names
        if owner in TO_FUNCTION:
            return names | TO_FUNCTION[owner]
        is_own = owner.__module__.partition('.')[0] == 'mmact_ssl' and inspect.isclass(owner)
        if not is_own and owner.__name__ not in TO_BASE:
            return None
    return None


def _get(part: Any, path: str) -> Any:
    for key in path.split('.'):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part


@contextmanager
def building(cfg: Config) -> Iterator[SimpleNamespace]:
    """Turn any error before the end of the first training step into a ConfigError.

    The error names the part of the config that failed to build, or the task that failed to run.
    Later errors keep their traceback.

    Yields:
        Namespace; set its ``runner`` to the runner once it is built.
    """
    at, build = SimpleNamespace(runner=None, error=None, part=None), Registry.build

    def build_and_note(self: Registry, part: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return build(self, part, *args, **kwargs)
        except Exception as error:
            if error is not at.error:  # else it is already noted for an inner part
                at.error, at.part = error, part
            raise

    Registry.build = build_and_note
    try:
        yield at
    except (MMActSSLError, OSError, MemoryError):
        raise
    except Exception as error:
        if at.runner is not None and at.runner.iter:
            raise
        where = str(cfg.filename)
        if error is at.error:
            where = _path_of(cfg, at.part)
        elif task := getattr(unwrap_model(getattr(at.runner, 'model', None)), 'current_task', None):
            where = f'model.heads.{task} does not fit its inputs or targets'
        raise ConfigError(
            f'{where}: {reason_of(error)}: correct the config, or the part of yours; {SHOW_PLACE}'
        ) from error
    finally:
        Registry.build = build


def _path_of(cfg: Any, part: Any, path: str = '') -> str:
    """Path of a part in a config; its type if it is not there."""
    if path and isinstance(cfg, Mapping) and dict(cfg) == dict(part):
        return path[1:]
    inner = cfg.items() if isinstance(cfg, (Mapping, Config)) else []
    inner = list(enumerate(cfg)) if isinstance(cfg, (list, tuple)) else inner
    for key, value in inner:
        if place := _path_of(value, part, f'{path}.{key}'):
            return place
    return '' if path else str(part.get('type', 'the config'))
