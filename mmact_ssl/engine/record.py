"""The record of a training in its checkpoints: encoder, config, data and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmact_ssl.configs.encoder_config import EncoderConfig, read_encoder, shipped_encoders
from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.records import LabelsRead
from mmact_ssl.io.schema import Table
from mmact_ssl.io.student_file import find_value

# Arguments of a backbone that belong to its training or its readout, not to the network.
OF_THE_TRAINING = re.compile(
    r'(.*\.)?(pool|out_indices|frozen_stages|norm_eval|partial_bn|with_cp|\w*drop\w*'
    r'|checkpoint|match|pretrained\w*|init_cfg|norm_cfg\.(type|requires_grad|momentum))'
)


def record_training(cfg: Config) -> dict[str, Any]:
    """Record a training for its checkpoints, see :attr:`StudentFile.record`.

    Writes an encoder that is not shipped to ``encoder.py`` in the work dir.
    """
    inputs = (cfg.get('model') or {}).get('data_preprocessor') or {}
    reads_labels = 'sample.label' in inputs.get('targets', ())
    record = {
        'encoder': None,
        'config': Path(cfg.filename).stem,
        'data': cfg.get('dataset_name', ''),
        'labels': asdict(joint_labels(cfg)) if reads_labels else None,
    }
    if 'encoder' not in cfg:
        print_log(
            f'{cfg.filename}: has no `encoder`, as in configs/encoders/: its checkpoints do not '
            'say how their student reads a file, and other tools ask for --encoder',
            'current',
        )
        return record
    path = Path(cfg.work_dir, 'encoder.py')
    parts = {'name': path.stem, **cfg.encoder.to_dict()}
    parts['backbone'] = network_arguments(cfg.model.backbone, parts['backbone'])
    normalization = ('mean', 'std', 'to_rgb')
    parts['preprocessor'] |= {k: inputs[k] for k in normalization if inputs.get(k) is not None}
    trained = EncoderConfig(str(path), **parts)
    if trained.name in shipped_encoders():
        shipped = read_encoder(trained.name, trained.options)
        trained = replace(trained, name=shipped.name)
        if replace(trained, source=shipped.source) == shipped:
            return {**record, 'encoder': shipped.record}
    write_encoder(path, trained, cfg.get('custom_imports'))
    print_log(
        f'the student is not a shipped encoder: it is in {path}, give that to other tools as '
        f'--encoder; encoder.channels={trained.channels} must be those of its last map',
        'current',
    )
    return {**record, 'encoder': replace(trained, options={}).record}


def write_encoder(
    path: Path, encoder: EncoderConfig, custom_imports: Mapping[str, Any] | None = None
) -> None:
    """Write an encoder config without options, and the modules that its network needs.

    Each process of a training writes the same file: none knows its rank yet.
    """
    parts = {**asdict(encoder), 'options': {}}
    del parts['source']
    config = Config({'custom_imports': custom_imports or {}, 'encoder': parts})
    write_atomically(path, config.pretty_text)


def network_arguments(trained: Table, declared: Table, path: str = '') -> Table:
    """Arguments of ``model.backbone``, with those of :data:`OF_THE_TRAINING` as declared."""
    merged = {k: value for k, value in declared.items() if OF_THE_TRAINING.fullmatch(path + k)}
    for key, value in trained.items():
        if OF_THE_TRAINING.fullmatch(path + key):
            continue
        inner = declared.get(key)
        if isinstance(value, dict):
            if isinstance(inner, dict):
                value = network_arguments(value, inner, f'{path}{key}.')
            elif not network_arguments(value, {}, f'{path}{key}.'):
                continue
        merged[key] = value
    return merged


def joint_labels(cfg: Mapping[str, Any]) -> LabelsRead:
    """Labels that a joint training reads by its config."""
    name, loader = str(cfg.get('dataset_name')), cfg.get('train_dataloader')
    fraction, seed = (find_value(loader, key) for key in ('label_fraction', 'label_seed'))
    return LabelsRead(name, 1.0 if fraction is None else float(fraction), int(seed or 0))
