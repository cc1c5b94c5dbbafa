"""Sentence encoders of sentence-transformers, which embed sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmact_ssl.errors import CheckpointError, ConfigError, DataError, import_extra, reason_of
from mmact_ssl.io.schema import read_json
from mmact_ssl.io.weights import find_in_package
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS

# Allowed module types, by their earlier and their later names: others may run code.
_MODULES = {
    *(f'sentence_transformers.models.{name}' for name in ('Transformer', 'Pooling')),
    *(f'sentence_transformers.models.{name}' for name in ('Dense', 'Normalize')),
    'sentence_transformers.base.modules.transformer.Transformer',
    'sentence_transformers.base.modules.dense.Dense',
    'sentence_transformers.sentence_transformer.modules.pooling.Pooling',
    'sentence_transformers.sentence_transformer.modules.normalize.Normalize',
}
_PICKLES = ('.bin', '.ckpt', '.pickle', '.pkl', '.pt', '.pth')


class TextTeacher(BaseTeacher):
    """Base class of the teachers of sentences; ``encode`` embeds a batch."""

    kind = 'text'

    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences: float32 ``(S, D)`` on the CPU, without gradient."""
        stripped = [sentence.strip() for sentence in sentences]
        if not stripped or not all(stripped):
            raise DataError(f'{type(self).__name__}: no sentence, or an empty one')
        step = self.batch_size or len(stripped)
        with self.inference():
            outputs = [
                self.encode(stripped[start : start + step]).float().cpu()
                for start in range(0, len(stripped), step)
            ]
        return torch.cat(outputs)

    def encode(self, sentences: list[str]) -> Tensor:
        """Embed a batch of sentences: ``(S, D)`` on the teacher's device."""
        raise NotImplementedError


@MODELS.register_module()
class SentenceTeacher(TextTeacher):
    """A frozen encoder of sentence-transformers: sentences to embeddings ``(S, D)``.

    It downloads nothing and runs no code of the folder; weights must be safetensors.
    OpenCLIPTextTeacher reads the text towers of CLIP.

    Args:
        folder: A folder saved by sentence-transformers, or by transformers (then the embedding is
            the mean over the tokens); or ``package://NAME/FOLDER`` in an installed package.
        batch_size: See BaseTeacher.
    """

    def __init__(self, folder: str, batch_size: int = 32) -> None:
        path = Path(folder)
        if folder.startswith('package://'):
            path = Path(find_in_package(folder[10:], 'folder of SentenceTeacher'))
        files = _check_folder(path)
        encoder = _load(path)
        # The constant stands in the fingerprints of caches that exist.
        identity = {'normalize': False, 'max_tokens': encoder.max_seq_length}
        super().__init__(identity, files, batch_size)
        self._name = path.parent.name if path.name == 'model' else path.name
        self.freeze_external(encoder)
        try:
            self.embed(['a'])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(
                f'{path} cannot embed a sentence ({error}): give a folder with a text encoder'
            ) from error

    @property
    def source(self) -> str:
        """Description of the teacher for people."""
        return f'SentenceTeacher({self._name})'

    def encode(self, sentences: list[str]) -> Tensor:
        """Embed sentences: ``(S, D)``."""
        return self.frozen.encode(
            sentences, batch_size=len(sentences), convert_to_tensor=True, show_progress_bar=False
        )


def _check_folder(path: Path) -> dict[str, str]:
    """List the files that decide an encoder's output; refuse files that could run code.

    Even without trust in remote code, sentence-transformers runs the Python files in
    ``modules.json`` and calls any function that a layer's config gives as its activation.
    """
    if not (path / 'config.json').is_file() and not (path / 'modules.json').is_file():
        raise DataError(
            f'no file config.json in {path.absolute()} (folder of SentenceTeacher): save the '
            'encoder there with save_pretrained'
        )
    files = {}
    for file in sorted(path.rglob('*')):
        if file.suffix in _PICKLES and not file.with_name('model.safetensors').is_file():
            raise ConfigError(f'{file} is a pickle: save the encoder as safetensors')
        if file.suffix in ('.json', '.model', '.safetensors', '.txt'):
            files[file.relative_to(path).as_posix()] = str(file)
        if file.name not in ('config.json', 'modules.json'):
            continue
        if file.name == 'modules.json':
            modules = read_json(file, 'save the encoder again', list[dict[str, Any]])
            unknown = [str(m.get('type')) for m in modules if m.get('type') not in _MODULES]
            # Files outside the folder are neither checked nor part of the fingerprint.
            places = [(file.parent / str(module.get('path', ''))).resolve() for module in modules]
            unknown += [str(p) for p in places if not p.is_relative_to(path.resolve())]
        else:
            config = read_json(file, 'save the encoder again')
            name = str(config.get('activation_function') or 'torch.nn.')
            unknown = [] if name.startswith('torch.nn.') else [name]
        if unknown:
            raise ConfigError(
                f'{file} names {unknown[0]}, which could be any code: choose another encoder'
            )
    return files


def _load(path: Path) -> Any:
    """Load a folder with sentence-transformers, offline."""
    library = import_extra('sentence_transformers', 'SentenceTeacher')
    safe: dict[str, Any] = dict(use_safetensors=True)
    try:
        encoder = library.SentenceTransformer(
            str(path),
            device='cpu',
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs=safe,
        )
        network = encoder[0].auto_model
        # sentence-transformers would leave missing weights random and only warn.
        _, loading = type(network).from_pretrained(
            network.name_or_path, local_files_only=True, output_loading_info=True, **safe
        )
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ConfigError(
            f'{path}: sentence-transformers cannot read it ({reason_of(error)})'
        ) from error
    # BERT's pooler is unused, and some folders lack it.
    missing = [name for name in loading['missing_keys'] if not name.startswith('pooler.')]
    if missing:
        raise CheckpointError(
            f'{path} lacks {len(missing)} weights of {type(network).__name__}, e.g. '
            f'{missing[0]!r}: save the encoder again with save_pretrained'
        )
    return encoder
