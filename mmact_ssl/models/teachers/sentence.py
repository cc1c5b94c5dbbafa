"""Text encoders from transformers: one embedding of each sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_ssl.errors import CheckpointError, ConfigError, DataError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.sentence_modules import POOLINGS, load_dense, pool, read_modules
from mmact_ssl.models.teachers.weights import find_in_package
from mmact_ssl.registry import MODELS

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
# Of a network that has a text tower with a pooling of its own.
TOWER = 'tower'


@MODELS.register_module()
class SentenceTeacher(BaseTeacher):
    """A frozen text encoder: sentences to embeddings [S, D].

    The mean, maximum or first of an encoder's tokens; or, of a network with a text tower, as CLIP
    and SigLIP, what the tower gives, projected into the space that it shares with pictures. A
    folder of sentence-transformers is read with its pooling, its linear layers and its scaling.

    Nothing is downloaded, no code of the folder is run, and weights must be safetensors.

    Args:
        folder: A folder that transformers or sentence-transformers has saved (``config.json``,
            ``model.safetensors`` and a tokenizer, perhaps ``modules.json``), or
            ``package://NAME/FOLDER`` inside an installed Python package.
        pooling: Over a sentence's tokens, ``'mean'``, ``'max'``, or ``'cls'``, the first. None:
            what ``modules.json`` says, else ``'mean'``. A text tower has its own.
        normalize: Scale embeddings to length 1. None: as ``modules.json`` says, else yes.
        max_tokens: Longer sentences are cut. None: what the folder says, else 256. Never more than
            the folder's tokenizer and network take.
        batch_size: Sentences of one length at once. A clip's few sentences seldom share one, and
            what is missing from a batch is filled up.
        precision: See BaseTeacher.

    Raises:
        DataError: The folder or a file in it is missing.
        ConfigError: transformers is not installed, or cannot read the folder; it holds no text
            encoder, or a module that is not understood.
        CheckpointError: Weights of the network are missing.
    """

    kind = 'text'

    def __init__(
        self,
        folder: str,
        pooling: str | None = None,
        normalize: bool | None = None,
        max_tokens: int | None = None,
        batch_size: int = 1,
        precision: str = 'float32',
    ) -> None:
        if pooling is not None and pooling not in POOLINGS:
            raise ConfigError(
                f'pooling={pooling!r} of SentenceTeacher: use one of {tuple(POOLINGS)}'
            )
        path = _find_folder(folder)
        modules = read_modules(path)
        _require_files(modules.network, folder)
        tokenizer, network = _load(modules.network)
        if not _is_tower(network):
            pooling = pooling or modules.pooling or 'mean'
        elif pooling is None:
            pooling = TOWER
        else:
            raise ConfigError(
                f'pooling={pooling!r} of SentenceTeacher: {type(network).__name__} in {path} has a '
                'text tower with a pooling of its own; leave it out'
            )
        if normalize is None:
            normalize = modules.normalize is not False
        limit = _most_tokens(tokenizer, network)
        max_tokens = min(max_tokens or modules.max_tokens or 256, limit)
        identity = {'pooling': pooling, 'normalize': normalize, 'max_tokens': max_tokens}
        files = {
            name: str(modules.network / name)
            for name in FILES
            if (modules.network / name).is_file()
        }
        dense = [load_dense(where) for where in modules.dense]
        # What most encoders don't have is left out, so that caches made before stay valid.
        if modules.lower_case:
            identity['lower_case'] = True
        if dense:
            identity['dense'] = [activation for _, activation, _ in dense]
            files.update({f'dense {i}': file for i, (_, _, file) in enumerate(dense)})
        super().__init__(identity, files, batch_size, precision)
        self._name = path.parent.name if path.name == 'model' else path.name
        self._pooling = pooling
        self._normalize = normalize
        self._max_tokens = max_tokens
        self._lower_case = modules.lower_case
        self._tokenizer = tokenizer
        self._network: tuple[Any, ...] = (self.hide(network),)
        self._dense: tuple[Any, ...] = tuple(self.hide(layer) for layer, _, _ in dense)
        self._try_out(path)

    @property
    def source(self) -> str:
        """One line that names the teacher for people."""
        return f'SentenceTeacher({self._name})'

    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Embed sentences.

        Sentences of as many tokens run together, so that none is padded and an embedding does not
        depend on its neighbors.

        Returns:
            float32 [S, D], without gradient, on the CPU; in order.

        Raises:
            DataError: There is no sentence, or one is empty.
        """
        rows: dict[int, Tensor] = {}
        tokens = self._tokenize(strip_sentences(sentences, 'SentenceTeacher'))
        by_length: dict[int, list[int]] = {}
        for index, numbers in enumerate(tokens):
            by_length.setdefault(len(numbers), []).append(index)
        for indices in by_length.values():
            ids = torch.tensor([tokens[index] for index in indices])
            rows.update(zip(indices, self.in_chunks(self._encode, ids)))
        return torch.stack([rows[index] for index in range(len(sentences))])

    def forward(self, frames: Tensor) -> Tensor:
        """Refuse frames.

        Raises:
            ConfigError: Always: a text teacher reads sentences, see :meth:`embed`.
        """
        raise ConfigError('SentenceTeacher reads sentences, not frames: use it for a text cache')

    def _tokenize(self, sentences: list[str]) -> list[list[int]]:
        """Token numbers of each sentence."""
        if self._lower_case:
            sentences = [sentence.lower() for sentence in sentences]
        # SigLIP was trained on sentences of one length and reads its embedding off the last place.
        fill = self._network[0].config.model_type.startswith('siglip')
        return self._tokenizer(
            sentences,
            truncation=True,
            max_length=self._max_tokens,
            padding='max_length' if fill else False,
        )['input_ids']

    def _encode(self, tokens: Tensor) -> Tensor:
        """Embed token numbers [S, L]: [S, D]."""
        network = self._network[0]
        if self._pooling == TOWER:
            embedding = _tower_output(network, tokens).float()
        else:
            features = network(input_ids=tokens).last_hidden_state.float()  # (S, L, D)
            embedding = pool(features, self._pooling)
        for layer in self._dense:
            embedding = layer(embedding)
        return F.normalize(embedding, dim=1) if self._normalize else embedding

    def _try_out(self, path: Path) -> None:
        """Refuse a network that does not make one vector of a sentence, before any work is done."""
        try:
            with torch.no_grad():
                shape = self._encode(torch.tensor(self._tokenize(['a']))).shape
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(
                f'{path}: {type(self._network[0]).__name__} cannot embed a sentence ({error}): '
                'give a folder with a text encoder'
            ) from error
        if len(shape) != 2:
            raise ConfigError(
                f'{path}: {type(self._network[0]).__name__} makes {list(shape)} of one sentence, '
                'wanted [1, D]: give a folder with a text encoder'
            )


def strip_sentences(sentences: Sequence[str], owner: str) -> list[str]:
    """Sentences without blanks around them.

    Raises:
        DataError: There is no sentence, or one is empty.
    """
    stripped = [sentence.strip() for sentence in sentences]
    if not stripped or not all(stripped):
        raise DataError(f'{owner}: no sentence, or an empty one; leave its key out')
    return stripped


def _find_folder(folder: str) -> Path:
    if folder.startswith('package://'):
        return Path(find_in_package(folder[len('package://') :], 'folder of SentenceTeacher'))
    return Path(folder)


def _require_files(path: Path, folder: str) -> None:
    for name in ('config.json', 'model.safetensors'):
        if not (path / name).is_file():
            raise DataError(
                f'no file {name!r} in {folder!r} (folder of SentenceTeacher), looked for it at '
                f'{(path / name).absolute()}: save the encoder there with save_pretrained'
            )


def _load(path: Path) -> tuple[Any, Any]:
    """Load the tokenizer and the network; of an encoder and decoder the encoder."""
    try:
        import transformers
    except ImportError as error:
        raise ConfigError(
            "SentenceTeacher needs transformers: pip install 'mmact_ssl[teachers]'"
        ) from error
    local: dict[str, Any] = dict(local_files_only=True, trust_remote_code=False)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **local)
        config = transformers.AutoConfig.from_pretrained(path, **local)
        # Of a tower that was saved alone, AutoModel leaves the projection out, and to an encoder
        # it invents a decoder.
        kind = next(iter(config.architectures or ()), '')
        alone = kind.endswith(('TextModelWithProjection', 'EncoderModel'))
        family = getattr(transformers, kind, None) if alone else None
        network, found = (family or transformers.AutoModel).from_pretrained(
            path, use_safetensors=True, output_loading_info=True, **local
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f'{path}: transformers cannot read it ({reason})') from error
    # Not read here: decoders, and BERT's pooler, which some folders lack.
    unread = re.compile('^decoder[.]' if _is_tower(network) else '^decoder[.]|pooler[.]')
    missing = [name for name in found['missing_keys'] if not unread.search(name)]
    if missing:
        raise CheckpointError(
            f'{path}/model.safetensors lacks {len(missing)} weights of {type(network).__name__}, '
            f'e.g. {missing[0]!r}: save the encoder again with save_pretrained'
        )
    return tokenizer, network.get_encoder() if config.is_encoder_decoder else network


def _is_tower(network: Any) -> bool:
    """Whether it is a network of pictures and text as CLIP's, or the text tower of one."""
    return hasattr(network, 'get_text_features') or network.config.model_type.endswith(
        '_text_model'
    )


def _tower_output(network: Any, tokens: Tensor) -> Tensor:
    """Embed token numbers [S, L] by a text tower, projected if it has a projection: [S, D]."""
    if hasattr(network, 'get_text_features'):
        return network.get_text_features(input_ids=tokens)
    output = network(input_ids=tokens)
    return output.text_embeds if 'text_embeds' in output else output.pooler_output


def _most_tokens(tokenizer: Any, network: Any) -> int:
    """Tokens that both take."""
    config = getattr(network.config, 'text_config', network.config)
    places = getattr(config, 'max_position_embeddings', None)
    return min(tokenizer.model_max_length, places or tokenizer.model_max_length)
