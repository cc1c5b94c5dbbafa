"""Publishing of a training checkpoint as a file with the backbone's weights and a card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmact_ssl import __version__
from mmact_ssl.apis.onnx_export import example_inputs, export_onnx
from mmact_ssl.configs.encoder_config import SHIPPED
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.evaluation.shared_space import PROMPTS, check_encoder, projector_weights
from mmact_ssl.io.checkpoint_file import CARD_KEY, MODEL
from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.records import Card
from mmact_ssl.io.student_file import PREFIX, StudentFile
from mmact_ssl.io.zoo import INDEX, add_to_index

TOLERANCE = 1e-6  # of features, times the largest of them if that is above 1


def publish(
    saved: StudentFile,
    output: Path,
    encoder: str | None = None,
    text_encoder: str | None = None,
    half: bool = False,
    **fields: str | None,
) -> Path:
    """Write a file with its card, compare its features, and add it to its folder's index, if any.

    Args:
        saved: A checkpoint of tools/train.py.
        output: ``FOLDER/NAME``; hash and suffix are added.
        encoder: See :meth:`Encoder.load`. One that is not shipped has to be given with the file.
        text_encoder: See :func:`text_part`; None leaves the projectors of sentences out.
        half: Store the weights as float16.
        fields: See :func:`card_of`.

    Raises:
        ConfigError: Options do not fit the file.
        CheckpointError: The file lacks weights, or what was written gives other features; then
            nothing stays.
    """
    if saved.path.endswith(MODEL):
        raise ConfigError(f'{saved.path}: is published already: give its training checkpoint')
    trained = Encoder.load(saved, encoder)
    weights = backbone_weights(saved)
    card = card_of(trained, output.name, **fields)
    if text_encoder:
        projectors, text_fields = text_part(saved, text_encoder)
        weights, card = {**weights, **projectors}, replace(card, **text_fields)
    path = write_model(weights, output.parent, card, half)
    try:
        given = None if card.encoder['config'].startswith(SHIPPED) else encoder
        compare_features(trained, Encoder.load(path, given), half)
    except BaseException:  # Ctrl-C too
        path.unlink()
        raise
    if (output.parent / INDEX).is_file():
        add_to_index(path, output.name)
    return path


def publish_onnx(
    saved: StudentFile, output: Path, encoder: str | None = None, **fields: str | None
) -> Path:
    """Export a checkpoint or a published file to ONNX, see :func:`export_onnx`."""
    trained = Encoder.load(saved, encoder)
    given: dict[str, Any] = {key: value for key, value in fields.items() if value}
    card = saved.card or card_of(trained, output.name)
    return export_onnx(trained, replace(card, name=output.name, **given), output.parent)


def card_of(
    encoder: Encoder,
    name: str,
    method: str | None = None,
    licence: str | None = None,
    trained_on: str | None = None,
) -> Card:
    """Make the card of an encoder from a training checkpoint.

    Args:
        method, licence, trained_on: As in the card; by default as recorded, else 'not stated'.
    """
    saved, config = encoder.student, encoder.config
    # Of an encoder that is not shipped the card has the name alone: its path is the user's.
    source = config.source if config.source.startswith(SHIPPED) else Path(config.source).name
    return Card(
        name=name,
        encoder={**config.record, 'config': source},
        method=method or saved.config_name.split('_')[0] or 'not stated',
        config=saved.config_name,
        data=saved.dataset_name,
        trained_on=trained_on or saved.dataset_name or 'not stated',
        licence=licence or 'not stated',
        source_sha256=saved.sha256,
        precision='float32',
        version=__version__,
        labels=saved.labels_read,
    )


def backbone_weights(saved: StudentFile) -> dict[str, Tensor]:
    """Copy the weights of a training checkpoint whose names begin with ``backbone.``."""
    # clone: a view would save its whole storage.
    return {
        PREFIX + key: value.detach().clone().contiguous()
        for key, value in saved.backbone_weights.items()
    }


def text_part(saved: StudentFile, encoder: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Projectors of sentences by key, and their fields of the card.

    Args:
        saved: A pre-training with sentences.
        encoder: Name of the config in ``configs/teachers/`` that embedded the sentences.
    """
    from mmact_ssl.models.teachers import build_teacher

    weights = projector_weights(saved)
    teacher = build_teacher(f'mmact_ssl::teachers/{encoder}.py')
    fingerprint = check_encoder(saved, teacher.fingerprint(), teacher.source)
    card = dict(text_encoder=encoder, text_fingerprint=fingerprint)
    return {f'heads.{PROMPTS}.{key}': value.contiguous() for key, value in weights.items()}, card


def write_model(
    weights: Mapping[str, Tensor], folder: Path, card: Card, half: bool = False
) -> Path:
    """Write weights and card to ``<name>-<8 digits of sha256>.safetensors``.

    Raises:
        CheckpointError: A weight is too large for float16.
    """
    from safetensors.torch import save

    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
        for key, value in weights.items():
            if not value.isfinite().all():
                raise CheckpointError(f'{key} is too large for float16: publish without --half')
        card = replace(card, precision='float16')
    data = save(dict(weights), metadata={CARD_KEY: card.to_json()})
    path = folder / f'{card.name}-{hashlib.sha256(data).hexdigest()[:8]}{MODEL}'
    write_atomically(path, data)
    return path


def compare_features(trained: Encoder, written: Encoder, half: bool = False) -> None:
    """Raise CheckpointError if two encoders give a random batch other features.

    Rounding to float16 changes them: then only their shape is compared.
    """
    inputs = torch.from_numpy(next(example_inputs(trained)))
    with torch.no_grad():
        before, after = trained.encode(inputs), written.encode(inputs)
    largest = max(1.0, before.abs().max().item())
    if before.shape != after.shape or not after.isfinite().all():
        raise CheckpointError(f'{written.name}: its features have another shape, or no numbers')
    if not half and not (before - after).abs().max().item() <= TOLERANCE * largest:
        raise CheckpointError(
            f'{written.name}: its features are not those of {trained.student.path}'
        )
