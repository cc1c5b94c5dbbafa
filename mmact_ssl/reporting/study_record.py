"""The record of what a study's folder was trained with, so that no other run resumes or uses it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.reporting.provenance import config_hash

FILE_NAME = 'study_run.json'


def training_record(
    root: str | os.PathLike[str], pretrain: str, options: Sequence[str], dataset: str
) -> dict[str, Any]:
    """Collect what decides a pre-training, apart from its seed.

    Args:
        root: Folder that ``pretrain`` is relative to.
        pretrain: Path of the config.
        options: ``--cfg-options``.
        dataset: Name of the study's data set.

    Returns:
        All that and ``config_hash``, of the config with all that it inherits; the same wherever
        ``$MMACT_SSL_DATA`` points.
    """
    digest = config_hash(Config.fromfile(Path(root) / pretrain).to_dict())
    return dict(dataset=dataset, pretrain=pretrain, cfg_options=list(options), config_hash=digest)


def check_same_run(folder: Path, record: dict[str, Any]) -> None:
    """Write the record into a folder, or check that the one there is the same.

    Raises:
        ConfigError: The folder was trained otherwise; names what differs.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')
        return
    found = json.loads(file.read_text(encoding='utf-8'))
    changes = '; '.join(
        f'{key}: {found.get(key)} there, {value} now'
        for key, value in record.items()
        if found.get(key) != value
    )
    if changes:
        raise ConfigError(
            f'{folder} was trained otherwise ({changes}); delete it to train anew, or {file} '
            'alone to go on with it as it is'
        )
