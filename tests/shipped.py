"""Shipped configs for tests: parsed, changed as on a command line, built without memory."""

from __future__ import annotations

import argparse
import copy
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from mmengine.config import Config, DictAction

from mmact_ssl.engine.launch import read_config
from mmact_ssl.errors import KindError
from mmact_ssl.preparation.skeletons import SkeletonWriter
from mmact_ssl.registry import MODELS

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
# Sets of skeletons, and the large ones among them.
SKELETON_SETS = sorted(
    path.stem
    for path in (CONFIGS / '_base_/sets').glob('*.py')
    if path.stem.startswith(('msr', 'ntu', 'nwucla', 'pku', 'utk')) or '-skeleton' in path.stem
)
SKELETON_SETS.remove('folder-skeleton')
LARGE_SETS = [name for name in SKELETON_SETS if name.startswith(('ntu', 'pku'))]
VIDEO_SETS = ['arid', 'demo', 'hmdb51', 'jhmdb', 'sthv2', 'ucf101', 'utdmhad']
# Students of the rivals' configs, which take a set, and sets.
RIVALS_ON = [
    *(('gru', 'nwucla'), ('gru', 'utdmhad-skeleton'), ('stgcn', 'ntu60-xsub')),
    *(('r3d18-small', 'jhmdb'), ('r3d18-small', 'utdmhad'), ('tsm-lite0', 'jhmdb')),
]
# In tests a config that takes a set is named with it, as in 'ms2l_gru.py@pkummd1'; without one it
# reads a prepared folder.
TOP_LEVEL = sorted(
    [path.name for path in CONFIGS.glob('*.py')]
    + [f'{name}.py@{one}' for name in ('c2vl_stgcn', 'ms2l_gru') for one in LARGE_SETS]
    + [f'c2vl-frames_stgcn.py@{one}' for one in LARGE_SETS if one.startswith('ntu')]
    + [f'{name}_{student}.py@{one}' for name in ('byol', 'speed') for student, one in RIVALS_ON]
)
# Every network on one set, and one of each kind on all.
VIDEOS = sorted(
    {f'downstream/{path.name}@jhmdb' for path in CONFIGS.glob('downstream/[rtv]*.py')}
    | {f'downstream/{name}.py@{one}' for one in VIDEO_SETS for name in ('r3d18', 'r3d18-small')}
)
SKELETONS = sorted(
    {f'downstream/{path.name}@nwucla' for path in CONFIGS.glob('downstream/[agps]*.py')}
    | {f'downstream/{n}.py@{one}' for one in SKELETON_SETS for n in ('gru', 'gru-streams', 'stgcn')}
)
DOWNSTREAM = [*VIDEOS, *SKELETONS]


@cache
def own_folder() -> str:
    """A prepared folder of skeletons for configs without a data set."""
    folder = Path(tempfile.mkdtemp()) / 'own'
    with SkeletonWriter(folder, 'own', 'kinect20', ['one', 'two'], 1) as writer:
        for number in range(4):
            writer.add(f'clip{number}', number % 2, np.ones((1, 9, 20, 3), np.float32))
        writer.finish({'train': ['clip0', 'clip1'], 'test': ['clip2', 'clip3']})
    return str(folder)


@cache
def own_folder_of_videos() -> str:
    """The same lists without skeletons."""
    folder = Path(tempfile.mkdtemp()) / 'own'
    folder.mkdir()
    for path in Path(own_folder()).glob('*.txt'):
        shutil.copy(path, folder)
    return str(folder)


@cache
def parsed(name: str) -> Config:
    path, _, dataset = name.partition('@')
    read = partial(read_config, str(CONFIGS / path), dataset=dataset or None)
    if dataset or names_a_set(name):
        return read()
    try:
        return read(data=own_folder())
    except KindError:
        return read(data=own_folder_of_videos())


def names_a_set(name: str) -> bool:
    """True if a config names a data set, and does not read the folder that ``--data`` gives."""
    return not re.fullmatch(r'downstream/[^/]+\.py|[^/_]+_[^/_]+\.py', name)


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
