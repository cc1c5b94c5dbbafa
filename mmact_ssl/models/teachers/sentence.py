"""Sentence encoders from transformers: one embedding of each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.weights import find_in_package
from mmact_ssl.registry import MODELS

POOLINGS = ('mean', 'cls')
# What decides an encoder's output, of the files in its folder.
FILES = (
    'config.json',
    'merges.txt',
    'model.safetensors',
    'special_tokens_map.json',
    'spiece.model',
    'tokenizer.json',
    'tokenizer_config.json',
    'vocab.json',
    'vocab.txt',
)


@MODELS.register_module()
class SentenceTeacher(BaseTeacher):
    """A frozen text encoder: sentences to embeddings [S, D].

    Nothing is downloaded, no code of the folder is run, and weights must be safetensors.

    Args:
        folder: A folder that transformers has saved (`config.json`, `model.safetensors` and a
            tokenizer), or `package://NAME/FOLDER` inside an installed Python package.
        pooling: `'mean'` over the sentence's tokens (sentence-transformers), or `'cls'`, the first.
        normalise: Scale embeddings to length 1.
        max_tokens: Longer sentences are cut.
        batch_size: Sentences of one length at once. A clip's few sentences seldom share one, and
            what is missing from a batch is filled up.
        precision: See BaseTeacher.

    Raises:
        DataError: The folder or a file in it is missing.
        ConfigError: transformers is not installed, or cannot read the folder.
    """

    kind = 'text'

    def __init__(
        self,
        folder: str,
        pooling: str = 'mean',
        normalise: bool = True,
        max_tokens: int = 256,
        batch_size: int = 1,
        precision: str = 'float32',
    ) -> None:
        if pooling not in POOLINGS:
            raise ConfigError(f'pooling={pooling!r} of SentenceTeacher: use one of {POOLINGS}')
        path = _find_folder(folder)
        files = {name: str(path / name) for name in FILES if (path / name).is_file()}
        identity = {'pooling': pooling, 'normalise': normalise, 'max_tokens': max_tokens}
        super().__init__(identity, files, batch_size, precision)
        self._name = path.parent.name if path.name == 'model' else path.name
        self._pooling = pooling
        self._normalise = normalise
        self._max_tokens = max_tokens
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise ConfigError(
                "SentenceTeacher needs transformers: pip install 'mmact_ssl[teachers]'"
            ) from error
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
            network = AutoModel.from_pretrained(path, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f'{path}: transformers cannot read it ({reason})') from error
        self._network: tuple[Any, ...] = (self.hide(network),)

    @property
    def source(self) -> str:
        """One line that names the teacher for people."""
        return f'SentenceTeacher({self._name})'

    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences.

        Sentences of as many tokens run together, so that none is padded and an embedding does not
        depend on its neighbours.

        Returns:
            float32 [S, D], without gradient, on the CPU; in order.

        Raises:
            DataError: There is no sentence, or one is empty.
        """
        if not sentences or not all(sentence.strip() for sentence in sentences):
            raise DataError('SentenceTeacher: no sentence, or an empty one; leave its key out')
        tokens = self._tokenizer(list(sentences), truncation=True, max_length=self._max_tokens)
        by_length: dict[int, list[int]] = {}
        for index, ids in enumerate(tokens['input_ids']):
            by_length.setdefault(len(ids), []).append(index)
        rows: dict[int, Tensor] = {}
        for indices in by_length.values():
            ids = torch.tensor([tokens['input_ids'][index] for index in indices])
            rows.update(zip(indices, self.in_chunks(self._encode, ids)))
        return torch.stack([rows[index] for index in range(len(sentences))])

    def forward(self, frames: Tensor) -> Tensor:
        """Refuse frames.

        Raises:
            ConfigError: Always: a text teacher reads sentences, see :meth:`embed`.
        """
        raise ConfigError('SentenceTeacher reads sentences, not frames: use it for a text cache')

    def _encode(self, tokens: Tensor) -> Tensor:
        """Embed token numbers [S, L]: [S, D]."""
        features = self._network[0](input_ids=tokens).last_hidden_state.float()  # (S, L, D)
        pooled = features.mean(1) if self._pooling == 'mean' else features[:, 0]
        return F.normalize(pooled, dim=1) if self._normalise else pooled


def _find_folder(folder: str) -> Path:
    what = 'folder of SentenceTeacher'
    if folder.startswith('package://'):
        path = Path(find_in_package(folder[len('package://') :], what))
    else:
        path = Path(folder)
    for name in ('config.json', 'model.safetensors'):
        if not (path / name).is_file():
            raise DataError(
                f'no file {name!r} in {folder!r} ({what}), looked for it at '
                f'{(path / name).absolute()}: save the encoder there with save_pretrained'
            )
    return path
