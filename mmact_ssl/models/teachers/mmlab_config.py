"""Loading of teachers from OpenMMLab packages: config, network, weights and input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope
from torch import nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.io.checkpoint_file import read_state_dict
from mmact_ssl.io.weights import load_strictly, require_file, select_parts
from mmact_ssl.models.teachers.preprocessing import FrameInput, pair


def import_openmmlab(module: str) -> ModuleType:
    """Import a module of an OpenMMLab package.

    Raises:
        ConfigError: The package is not installed.
    """
    package = module.partition('.')[0]
    if find_spec(package) is None:
        raise ConfigError(f'{package} is not installed: mmact-ssl setup openmmlab')
    return import_module(module)


def load_model_config(config: str, what: str) -> Config:
    """Load an OpenMMLab config from a file or, for ``mmpose::...``, from an installed package."""
    if '::' in config:
        from mmengine.hub import get_config

        import_openmmlab(config.partition('::')[0])
        try:
            loaded = get_config(config)
        except (ImportError, OSError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise ConfigError(
                f'no config {config!r} ({what}): {reason}; is the path one below its configs/?'
            ) from error
    else:
        require_file(config, f'config of {what}')
        loaded = Config.fromfile(config)
    for key in ('model', 'test_dataloader'):
        if key not in loaded:
            raise ConfigError(f'{config} has no {key!r}: a complete config is expected')
    return Config(loaded.to_dict())


def without_init(config: Any) -> Any:
    """Drop every ``init_cfg`` and ``pretrained``, so that nothing is downloaded."""
    if isinstance(config, dict):
        names = (key for key in config if key not in ('init_cfg', 'pretrained'))
        return {key: without_init(config[key]) for key in names}
    if isinstance(config, (list, tuple)):
        return [without_init(value) for value in config]
    return config


def build_network(model: Mapping[str, Any], scope: str) -> Any:
    """Build a model whose config has no scopes: ``mmpose``, ``mmseg``, ..."""
    import_openmmlab(f'{scope}.models')  # registers its models
    with DefaultScope.overwrite_default_scope(scope):
        # mmseg reads its nested settings as attributes.
        return revert_sync_batchnorm(ROOT.build(ConfigDict({**model, '_scope_': scope})))


def load_parts(
    network: nn.Module, checkpoint: str, parts: tuple[str, ...], prefix: str = ''
) -> None:
    """Load all weights of a network from ``parts`` of a checkpoint, without ``prefix``."""
    state = select_parts(read_state_dict(checkpoint), parts)
    load_strictly(network, {n[len(prefix) :]: v for n, v in state.items()}, checkpoint)


def read_input(loaded: Config, config: str, input_size: int | Sequence[int] | None) -> FrameInput:
    """Read the preprocessing of a model's input from its config.

    Mean, deviation and channel order are those of the data_preprocessor. A top-down pose model gets
    the whole frame without the padding of GetBBoxCenterScale.

    Args:
        loaded: The config.
        config: Name of the config in errors.
        input_size: Side or (height, width) to which the whole frame is stretched. None: that of
            the test pipeline of a top-down pose model, letterboxed.
    """
    settings = loaded.model.get('data_preprocessor') or loaded.get('data_preprocessor') or {}
    # mmaction2 decodes to RGB, the other packages read BGR. The settings may swap channels.
    swaps = bool(settings.get('to_rgb') or settings.get('bgr_to_rgb'))
    bgr = swaps if loaded.get('default_scope') == 'mmaction' else not swaps
    values: dict[str, Any] = {
        'bgr': bgr,
        'mean': tuple(float(v) for v in settings.get('mean') or (0, 0, 0)),
        'std': tuple(float(v) for v in settings.get('std') or (1, 1, 1)),
    }
    if input_size is not None:
        return FrameInput(pair(input_size), **values)
    for step in loaded.test_dataloader.dataset.pipeline:
        if step['type'].rpartition('.')[2] == 'TopdownAffine':
            width, height = step['input_size']
            return FrameInput((height, width), letterbox=True, **values)
    raise ConfigError(f'{config} is not of a top-down pose model: set input_size of the teacher')
