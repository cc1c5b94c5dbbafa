"""Publishing of a training checkpoint as a file with the backbone's weights and a card."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmact_ssl import __version__
from mmact_ssl.apis.card import FIX, Card, card_from
from mmact_ssl.apis.load import PREFIX, load_file
from mmact_ssl.apis.model import PretrainedModel
from mmact_ssl.apis.onnx_export import example_inputs, export_onnx
from mmact_ssl.apis.zoo import INDEX, add_to_index
from mmact_ssl.checkpoint_file import CARD_KEY, MODEL
from mmact_ssl.errors import CheckpointError, ConfigError, MMActSSLError
from mmact_ssl.evaluation.downstream import find_downstream
from mmact_ssl.evaluation.headings import COLUMNS, has_column
from mmact_ssl.evaluation.results import Result, read_results
from mmact_ssl.evaluation.shared_space import PROMPTS, check_encoder, projector_weights
from mmact_ssl.files import reading, write_atomically
from mmact_ssl.models.encoding import check_sampling, shift_length
from mmact_ssl.part_checks import plain_part
from mmact_ssl.parts import build_without_memory
from mmact_ssl.saved_run import SavedRun, find_value


def publish(
    saved: SavedRun,
    output: Path,
    results: Iterable[str | Path] = (),
    variant: str = 'full',
    downstream: str | None = None,
    text_encoder: str | None = None,
    half: bool = False,
    **fields: str | None,
) -> Path:
    """Write a file with its card, check that it runs, and add it to its folder's index, if any.

    Args:
        saved: A checkpoint of tools/train.py; or a published file, which keeps its weights.
        output: ``FOLDER/NAME``; hash and suffix are added.
        results: Folders of results. Those of the file become figures of the card.
        downstream: Path of the downstream config; by default the one of the network.
        text_encoder: See :func:`text_part`; None leaves the projectors of sentences out.
        fields: ``method``, ``licence`` and ``trained_on`` of the card; None or '' for the known
            ones.

    Raises:
        ConfigError: Options or results do not fit the file.
        CheckpointError: No result is of the file, it lacks weights, or what was written does not
            load, or gives features of another length than its card says; then nothing stays.
    """
    folder, name = output.parent, output.name
    given = {key: value for key, value in fields.items() if value}
    folders = list(map(str, results))
    known = [result for place in folders for result in read_results(place)]
    own = [result for result in known if result.checkpoint_hash == saved.sha256]
    if folders and not own:
        raise CheckpointError(
            f'{saved.path}: no results in {", ".join(folders)} are of this file (sha256 '
            f'{saved.sha256[:12]}...): evaluate it by tools/evaluate.py --out'
        )
    if saved.path.endswith(MODEL):
        if half or downstream or text_encoder:
            raise ConfigError(
                f'{saved.path}: is published, and keeps its weights and parts: give '
                '--half, --downstream and --text-encoder with its training checkpoint'
            )
        path = renew_model(saved, folder, own, variant, name=name, **given)
    else:
        weights = backbone_weights(saved)
        if own:
            given.setdefault('method', own[0].method)
        card = card_of_checkpoint(saved, downstream, name, **given)
        require_figures(saved, own, card, variant)
        if text_encoder:
            projectors, encoder = text_part(saved, text_encoder)
            weights, card = {**weights, **projectors}, replace(card, **encoder)
        path = write_model(weights, folder, card, known, half, variant)
    try:
        compare_length(load_file(path))
    except MMActSSLError:
        path.unlink()
        raise
    if (folder / INDEX).is_file():
        add_to_index(path, name)
    return path


def compare_length(model: PretrainedModel) -> None:
    """Raise CheckpointError if features of a random batch are not as long as the card says."""
    try:
        _, inputs, *_ = example_inputs(model)
    except ConfigError:  # the card has no size of pictures, or no joints
        return
    model.encode(torch.from_numpy(inputs))


def publish_onnx(saved: SavedRun, output: Path, **options: Any) -> Path:
    """Publish to a temporary folder by :func:`publish`, and export that file to ONNX."""
    with TemporaryDirectory() as folder:
        path = publish(saved, Path(folder, output.name), **options)
        return export_onnx(load_file(path), output.parent)


def backbone_weights(saved: SavedRun, strip_prefix: bool = False) -> dict[str, Tensor]:
    """Copy the backbone's weights of a training checkpoint.

    Args:
        saved: A training checkpoint with ``state_dict`` keys ``backbone.*``.
        strip_prefix: Leave ``backbone.`` out of the keys.
    """
    weights = saved.weights
    # clone: a view would save its whole storage.
    backbone = {
        key[len(PREFIX) if strip_prefix else 0 :]: value.detach().clone().contiguous()
        for key, value in weights.items()
        if key.startswith(PREFIX)
    }
    if not backbone:
        parts = sorted({key.split('.')[0] for key in weights}) or ['no weights']
        raise CheckpointError(f'{saved.path}: no backbone.* to export, it holds {", ".join(parts)}')
    return backbone


def card_of_checkpoint(
    saved: SavedRun,
    downstream: str | None = None,
    name: str = '',
    method: str = '',
    licence: str = '',
    trained_on: str = '',
) -> Card:
    """Make the card of a training checkpoint.

    Args:
        saved: A checkpoint of tools/train.py.
        downstream: Path of the downstream config; by default the one of the network.
        name: Name of the model; by default that of the training config.
        method, licence, trained_on: As in the card; by default as recorded, else 'not stated'.
    """
    config, read = saved.config_name, saved.labels_read
    return make_card(
        find_downstream(saved, downstream),
        name=name or config or Path(saved.path).stem,
        method=method or config.split('_')[0] or 'not stated',
        config=config,
        trained_on=trained_on or saved.dataset_name or 'not stated',
        dataset_name=saved.dataset_name,
        licence=licence or 'not stated',
        labels_read=read and asdict(read),
        source_sha256=saved.sha256,
        precision='float32',
    )


def make_card(cfg: Config, **known: Any) -> Card:
    """Make a card from a downstream config.

    Args:
        cfg: Gives the card's backbone, preprocessor, pooling and pipeline.
        known: The other fields of the card.
    """
    dataset, pooling = cfg.test_dataloader.dataset, cfg.get('feature_pooling')
    try:
        backbone = plain_part(cfg.model.backbone.to_dict(), 'backbone', 'backbone')
        preprocessor = plain_part(cfg.model.data_preprocessor, 'preprocessor', 'preprocessor')
        pipeline = [plain_part(step, 'transform', 'pipeline') for step in dataset.pipeline]
        pooled = None if pooling is None else plain_part(pooling, 'pooling', 'pooling')
        network = build_without_memory(backbone, 'backbone', math.inf)
    except ValueError as error:
        raise ConfigError(f'cannot be published: {error}') from error
    check_sampling(
        shift_length(network), pipeline, 'cannot be published, give another --downstream: '
    )
    deviation = bool(cfg.get('feature_deviation', False))
    doubled = pooling is not None and pooling.get('mode') == 'mean_max'
    is_skeleton = dataset.type == 'mmact_ssl.SkeletonDataset'
    persons = next((step['num_person'] for step in pipeline if 'num_person' in step), 1)
    values = dict(
        kind='skeleton' if is_skeleton else 'video',
        backbone_name=cfg.backbone_name,
        backbone=backbone,
        preprocessor=preprocessor,
        pipeline=pipeline,
        pooling=pooled,
        deviation=deviation,
        feature_dim=cfg.model.cls_head.in_channels * 2 ** (deviation + doubled),
        layout=(find_value(backbone, 'layout') or '') if is_skeleton else '',
        num_persons=persons if is_skeleton else 0,
        version=__version__,
        **known,
    )
    return card_from(values)


def figures_of(
    results: Iterable[Result], sha256: str, card: Card, variant: str = 'full'
) -> list[dict[str, Any]]:
    """Figures of a file: the results with its hash and the card's backbone.

    Args:
        variant: Variant of the results; others may evaluate the same file in another way.

    Raises:
        ConfigError: Two results give one figure different values.
    """
    results = list(results)
    counted = {(r.dataset, r.data_version): r.test_clips for r in results if r.test_clips}
    figures = [
        dict(
            name=heading,
            protocol=protocol,
            metric=metric,
            value=round(result.metrics[metric], 6),
            label_fraction=fraction,
            seed=result.seed,
            dataset=result.dataset,
            synthetic=result.synthetic,
            config=result.config,
            test_clips=counted.get((result.dataset, result.data_version), 0),
        )
        for column in COLUMNS
        for heading, protocol, metric, fraction in [column]
        for result in results
        if result.checkpoint_hash == sha256
        and (result.backbone, result.variant) == (card.backbone_name, variant)
        and has_column(result, column)
    ]
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for figure in figures:
        key = figure['name'], figure['dataset'], figure['seed']
        first = known.setdefault(key, figure)
        # Two folders may hold the same result.
        if first != figure:
            raise ConfigError(
                f'{card.name}: {figure["name"]} on {figure["dataset"]} with seed {figure["seed"]} '
                f'is {first["value"]} ({first["config"]}) and {figure["value"]} '
                f'({figure["config"]}): give --results that hold one of them'
            )
    return [*known.values()]


def require_figures(
    saved: SavedRun, results: Sequence[Result], card: Card, variant: str
) -> list[dict[str, Any]]:
    """Figures of a file; ConfigError if it has results and none is a figure of the card."""
    figures = figures_of(results, saved.sha256, card, variant)
    if results and not figures:
        kinds = sorted({f'{r.label} ({r.backbone}, {r.protocol})' for r in results})
        raise ConfigError(
            f'{saved.path}: a card takes results of {card.backbone_name}, the variant '
            f'{variant!r}, and there are {", ".join(kinds)}: give --variant '
            'or leave --results out'
        )
    return figures


def text_part(saved: SavedRun, encoder: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
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
    weights: Mapping[str, Tensor],
    folder: Path,
    card: Card,
    results: Iterable[Result] = (),
    half: bool = False,
    variant: str = 'full',
) -> Path:
    """Write weights and card to ``<name>-<8 digits of sha256>.safetensors``.

    The figures are those of the source checkpoint. Rounding to float16 may change them: evaluate
    the file and call this again with these results, to write the file's own figures.

    Args:
        card: Card without figures.

    Raises:
        ConfigError: Two results give one figure different values.
        CheckpointError: A weight is too large for float16.
    """
    results = list(results)
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
        for key, value in weights.items():
            if not value.isfinite().all():
                raise CheckpointError(f'{key} is too large for float16: publish without --half')
    card = replace(card, precision='float16' if half else 'float32')

    figures = figures_of(results, card.source_sha256, card, variant)
    data = _content(weights, card, figures, 'checkpoint')
    if of_file := figures_of(results, hashlib.sha256(data).hexdigest(), card, variant):
        data = _content(weights, card, of_file, 'file')
    return _write(data, folder, card)


def renew_model(
    saved: SavedRun,
    folder: Path,
    results: Sequence[Result] = (),
    variant: str = 'full',
    **changes: Any,
) -> Path:
    """Write a published file again, with the same weights and a card of this version.

    Args:
        results: Results with the file's hash, whose figures replace the card's.
        changes: Other fields of the card, e.g. ``name``.
    """
    with reading(saved.path, FIX, CheckpointError):
        card = replace(card_from(saved.card), version=__version__, **changes)
    figures = require_figures(saved, results, card, variant)
    return _write(_content(saved.weights, card, figures, 'file'), folder, card)


def _content(
    weights: Mapping[str, Tensor], card: Card, figures: Sequence[dict[str, Any]], of: str
) -> bytes:
    """Content of a file with new figures, or the card's own if there are none."""
    from safetensors.torch import save

    if figures:
        card = replace(card, results=[{**figure, 'weights': of} for figure in figures])
    return save(dict(weights), metadata={CARD_KEY: card.to_json()})


def _write(data: bytes, folder: Path, card: Card) -> Path:
    path = folder / f'{card.name}-{hashlib.sha256(data).hexdigest()[:8]}{MODEL}'
    write_atomically(path, data)
    return path
