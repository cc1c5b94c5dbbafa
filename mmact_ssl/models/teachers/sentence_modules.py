"""What a folder of sentence-transformers does to a network's output, by its ``modules.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers.weights import load_by_name, read_state_dict

# Features [S, L, D] of sentences without padding to embeddings [S, D].
POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    'cls': lambda features: features[:, 0],
    'max': lambda features: features.amax(1),
    'mean': lambda features: features.mean(1),
}
_POOLING_KEYS = {
    'pooling_mode_cls_token': 'cls',
    'pooling_mode_max_tokens': 'max',
    'pooling_mode_mean_tokens': 'mean',
}
_ACTIVATIONS = {
    activation.__name__: activation
    for activation in (nn.GELU, nn.Identity, nn.ReLU, nn.Sigmoid, nn.Tanh)
}


@dataclass(frozen=True)
class SentenceModules:
    """What a folder says about an encoder, besides the network itself.

    Attributes:
        network: Folder of the network and its tokenizer.
        pooling: Keys of POOLINGS, several joined by ``+``; None: the folder does not say.
        dense: Folders of the linear layers that follow.
        normalize: Whether embeddings are scaled to length 1 in the end; None: it does not say.
        max_tokens: Longer sentences are cut; None: it does not say.
        lower_case: Whether sentences are put into lower case.
    """

    network: Path
    pooling: str | None = None
    dense: tuple[Path, ...] = ()
    normalize: bool | None = None
    max_tokens: int | None = None
    lower_case: bool = False


def read_modules(folder: Path) -> SentenceModules:
    """Read ``modules.json`` and what belongs to it.

    Args:
        folder: As sentence-transformers saves, or of transformers alone, which says nothing.

    Raises:
        DataError: A file that is named is missing or broken.
        ConfigError: There is a module, a pooling or a prompt that is not understood here.
    """
    if not (folder / 'modules.json').is_file():
        return SentenceModules(folder)
    listed = _read_json(folder / 'modules.json')
    with _described_in(folder / 'modules.json'):
        paths = [folder / module['path'] for module in listed]
        names = [module['type'].rpartition('.')[2] for module in listed]
    if not re.fullmatch(r'Transformer Pooling( Dense)*( Normalize)?', ' '.join(names)):
        raise ConfigError(
            f'{folder}/modules.json lists {", ".join(names)}: what is understood is Transformer, '
            'Pooling, any number of Dense, perhaps Normalize; choose another encoder, or embed '
            'with sentence-transformers and import the embeddings'
        )
    _refuse_prompt(folder)
    network = paths[0]
    settings: dict[str, Any] = {}
    for file in sorted(network.glob('sentence_*_config.json')):  # sentence_bert_config.json
        settings = _read_json(file)
    return SentenceModules(
        network,
        _read_pooling(paths[1] / 'config.json'),
        tuple(path for name, path in zip(names, paths) if name == 'Dense'),
        names[-1] == 'Normalize',
        settings.get('max_seq_length'),
        bool(settings.get('do_lower_case')),
    )


def pool(features: Tensor, pooling: str) -> Tensor:
    """Pool features [S, L, D] of sentences without padding: [S, D], or [S, k * D] of k ways."""
    pooled = [POOLINGS[name](features) for name in pooling.split('+')]
    return torch.cat(pooled, dim=1) if len(pooled) > 1 else pooled[0]


def load_dense(folder: Path) -> tuple[nn.Module, str, str]:
    """Build a linear layer and its activation.

    Returns:
        The layer, the activation's name, and the file of its weights.

    Raises:
        DataError: A file is missing or broken.
        ConfigError: The activation is not understood.
        CheckpointError: The weights do not fit.
    """
    config = _read_json(folder / 'config.json')
    name = str(config.get('activation_function')).rpartition('.')[2]
    if name not in _ACTIVATIONS:
        raise ConfigError(
            f'{folder}/config.json: the activation {config.get("activation_function")!r} is not '
            f'one of {", ".join(sorted(_ACTIVATIONS))}: choose another encoder'
        )
    files = [folder / name for name in ('model.safetensors', 'pytorch_model.bin')]
    file = next((str(file) for file in files if file.is_file()), None)
    if file is None:
        raise DataError(f'no file {files[0]}: save the encoder again')
    with _described_in(folder / 'config.json'):
        layer = nn.Linear(config['in_features'], config['out_features'], config.get('bias', True))
    state = {key.removeprefix('linear.'): value for key, value in read_state_dict(file).items()}
    load_by_name(layer, state, file)
    return nn.Sequential(layer, _ACTIVATIONS[name]()), name, file


def _read_pooling(file: Path) -> str:
    config = _read_json(file)
    asked = [key for key, value in config.items() if key.startswith('pooling_mode') and value]
    unknown = [key for key in asked if key not in _POOLING_KEYS]
    if unknown or not asked:
        raise ConfigError(
            f'{file} asks for {", ".join(unknown) or "no pooling"}: what is understood is '
            f'{", ".join(_POOLING_KEYS)}; choose another encoder'
        )
    # sentence-transformers puts several in the order of the names.
    return '+'.join(sorted(_POOLING_KEYS[key] for key in asked))


def _refuse_prompt(folder: Path) -> None:
    """Refuse an encoder that puts words before every sentence unless told otherwise."""
    file = folder / 'config_sentence_transformers.json'
    name = _read_json(file).get('default_prompt_name') if file.is_file() else None
    if name:
        raise ConfigError(
            f'{file} puts the prompt {name!r} before every sentence, which is not done here: '
            'write it into the sentences, and null into the file'
        )


@contextmanager
def _described_in(file: Path) -> Iterator[None]:
    """Blame a file for what it lacks."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(
            f'{file} is not as sentence-transformers writes it ({error!r}): save the encoder again'
        ) from error


def _read_json(file: Path) -> Any:
    if not file.is_file():
        raise DataError(f'no file {file}: save the encoder again')
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:  # not UTF-8, or no JSON
        raise DataError(f'{file} is no JSON ({error}): save the encoder again') from error
