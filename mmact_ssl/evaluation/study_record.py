"""What a study's folder was trained with, so that nothing else is resumed or judged in its name."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmact_ssl.errors import ConfigError
from mmact_ssl.evaluation.result import portable_text

FILE_NAME = 'study_run.json'


def training_record(
    root: str | os.PathLike[str], pretrain: str, options: Sequence[str], dataset: str
) -> dict[str, Any]:
    """Tell what decides a pre-training, apart from its seed.

    Args:
        root: Folder that ``pretrain`` is relative to.
        pretrain: Path of the config.
        options: ``--cfg-options``.
        dataset: Name of the study's data set.

    Returns:
        All that and ``config_hash``, sha256 of the config with all that it inherits; the same
        wherever ``$MMACT_SSL_DATA`` points.
    """
    text = portable_text(Config.fromfile(Path(root) / pretrain).to_dict())
    digest = hashlib.sha256(text.encode()).hexdigest()
    return dict(dataset=dataset, pretrain=pretrain, cfg_options=list(options), config_hash=digest)


def claim(folder: Path, record: dict[str, Any]) -> None:
    """Write the record into a folder, or see that the one there says the same.

    Raises:
        ConfigError: What lies there was trained otherwise; names what differs.
    """
    file = folder / FILE_NAME
    if file.is_file():
        found = json.loads(file.read_text(encoding='utf-8'))
        differing = [key for key, value in record.items() if found.get(key) != value]
        if differing:
            changes = '; '.join(
                f'{key}: {found.get(key)} there, {record[key]} now' for key in differing
            )
            raise ConfigError(
                f'{folder} was trained otherwise ({changes}); delete it to train anew, or {file} '
                'alone to go on with it as it is'
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')
