"""Shipped configs for tests: parsed, changed as on a command line, built without memory."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from mmengine.config import Config, DictAction

from mmact_ssl.registry import MODELS

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
TOP_LEVEL = sorted(path.name for path in CONFIGS.glob('*.py'))


@cache
def parsed(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def load(name: str, options: Sequence[str] = ()) -> Config:
    """A config with what ``--cfg-options`` give it."""
    config = copy.deepcopy(parsed(name))
    if options:
        parser = argparse.ArgumentParser()
        parser.add_argument('--cfg-options', nargs='+', action=DictAction)
        config.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    return config


def build(part: Config | dict) -> torch.nn.Module:
    """A model without memory: shapes and names are all there."""
    # mmpretrain's ResNet reads numbers out of a tensor while it is built.
    linspace = partial(torch.linspace, device='cpu')
    with torch.device('meta'), mock.patch('torch.linspace', linspace):
        return MODELS.build(copy.deepcopy(part.get('model', part)))


def loaders(config: Config) -> list[Any]:
    """Data loaders of training and, if there is one, of the test; of several sets, of the first."""
    found = [config[key] for key in ('train_dataloader', 'test_dataloader') if key in config]
    for loader in found:
        loader.dataset = loader.dataset.get('datasets', [loader.dataset])[0]
    return found


def steps(part: Any, *kinds: str) -> Iterator[Any]:
    """Transforms of these types within a pipeline, in the pipelines of views too."""
    if isinstance(part, dict):
        if str(part.get('type')).rpartition('.')[2] in kinds:
            yield part
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for value in part:
            yield from steps(value, *kinds)


def step(loader: Any, kind: str) -> Any:
    """The only transform of a type in a data loader's pipeline."""
    (found,) = steps(loader.dataset.pipeline, kind)
    return found
