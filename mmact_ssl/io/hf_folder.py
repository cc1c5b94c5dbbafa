"""Networks of Hugging Face's transformers in folders: no code there runs, no pickle is read."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmact_ssl.errors import CheckpointError, ConfigError, DataError, import_extra, reason_of
from mmact_ssl.io.files import expand, reading, shown
from mmact_ssl.io.schema import read_json

WEIGHTS, INDEX = 'model.safetensors', 'model.safetensors.index.json'
PROCESSORS = ('video_preprocessor_config.json', 'preprocessor_config.json', 'processor_config.json')
JSON = ('config.json', 'adapter_config.json', *PROCESSORS)
# Keys by which transformers loads other code or another network.
LEADS_AWAY = r'"(auto_map|base_model_\w+|quantization_config|\w*_implementation(_internal)?)": '
FIX = 'save the network there again with save_pretrained'
SAFE: dict[str, Any] = dict(local_files_only=True, trust_remote_code=False)
IMAGES = 8  # frames of a clip for a network of images


class Family(NamedTuple):
    """Pooling and input of the networks of one kind."""

    pooling: str  # 'mean' of the tokens, 'class' token, or 'head' of the network
    frames: str = ''  # key of the number of frames in the config; '' for a network of images
    part: str = ''  # that is used; '' for all
    any_length: bool = True  # of a clip


# As their papers pool features of the frozen network; V-JEPA 2 trains an attentive probe instead.
FAMILIES = {
    'videomae': Family('mean', 'num_frames', any_length=False),
    'vjepa2': Family('mean', 'frames_per_clip', 'encoder'),
    'timesformer': Family('class', 'num_frames'),
    'vivit': Family('class', 'num_frames', any_length=False),
    'dinov2': Family('class'),
    'clip': Family('head', '', 'vision_model'),
    'siglip': Family('head', '', 'vision_model'),
}


@dataclass(frozen=True)
class HFModel:
    """A network that is not loaded yet; its ``files`` {name: path} decide its output."""

    folder: Path
    family: Family
    config: Any
    files: dict[str, str]
    frames: int
    channels: int


def read_model(model: str, frames: int = 0) -> HFModel:
    """Find a network and check its files.

    Args:
        model: Folder, or a name of the hub: it is looked for in ``$MMACT_SSL_DATA/teachers``, in
            the cache of the hub and on the hub.
        frames: Frames of a clip; 0: as many as the network was trained with.

    Raises:
        ConfigError: The network is of another architecture, or a file leads out of the folder.
        DataError: A file is missing or damaged.
    """
    folder = find_folder(model)
    files = {name: folder / name for name in JSON if (folder / name).is_file()}
    contents = {name: read_json(path, FIX) for name, path in files.items()}
    for name, content in contents.items():
        if key := re.search(LEADS_AWAY, json.dumps(content)):
            reason = f'{key[1]} leads to code or a network elsewhere'
            raise ConfigError(f'{files[name]}: {reason}: choose another network')
    names = find_weights(folder)
    files |= {name: folder / name for name in names}
    for name in 'config.json', *names:
        if not (folder / name).is_file():
            fix = 'save it there, pickles are not read' if name in names else FIX
            raise DataError(f'{folder / name} is missing: {fix}')
    if not {*PROCESSORS} & {*files}:
        raise DataError(f'{folder / PROCESSORS[1]} is missing: it tells how to prepare frames')
    kind = contents['config.json'].get('model_type')
    if kind not in FAMILIES:
        known = ', '.join(FAMILIES)
        raise ConfigError(f'{folder}: holds a network of type {shown(kind)}, not one of {known}')
    family = FAMILIES[kind]
    transformers = import_extra('transformers', f'a network of type {kind}')
    with reading(folder, FIX):
        config = transformers.AutoConfig.from_pretrained(folder, **SAFE)
        own = int(getattr(config, family.frames)) if family.frames else IMAGES
        channels = int(getattr(config, 'vision_config', config).hidden_size)
    if frames not in (0, own) and not family.any_length:
        raise ConfigError(f'{folder}: reads clips of {own} frames: leave frames={frames} out')
    paths = {name: str(path) for name, path in files.items()}
    return HFModel(folder, family, config, paths, frames or own, channels)


def find_weights(folder: Path) -> list[str]:
    """Names of the files of weights: one, or an index and the parts that it names."""
    index = folder / INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [WEIGHTS]
    with reading(index, FIX):
        names = {*read_json(index, FIX)['weight_map'].values()}
        for name in names:
            if not re.fullmatch(r'\w[\w.-]*\.safetensors', name):
                raise ConfigError(f'{index}: {shown(name)} is not a .safetensors file beside it')
    return [INDEX, *sorted(names)]


def find_folder(model: str) -> Path:
    """Folder of a network, which the hub may give; DataError without one."""
    if not model:
        raise ConfigError('give model=FOLDER, a network of transformers, or its name on the hub')
    place = Path(os.environ.get('MMACT_SSL_DATA') or 'data', 'teachers', Path(model).name)
    for folder in (expand(model), place):
        if folder.is_dir():
            return folder
    reason = 'there is no such folder'
    if re.fullmatch(r'[\w-][\w.-]*/[\w-][\w.-]*', model):
        download = import_extra('huggingface_hub', model).snapshot_download
        try:
            return Path(download(model, allow_patterns=[*JSON, INDEX, 'model*.safetensors']))
        except (OSError, RuntimeError, ValueError) as error:
            reason = f'the hub does not give it ({reason_of(error)[:60]})'
    files = f'config.json, {PROCESSORS[1]} and {WEIGHTS}'
    raise DataError(f'{shown(model)}: {reason}: put its {files} into {place.absolute()}')


def load_network(model: HFModel) -> Any:
    """The part of a network that is used, float32; CheckpointError if its weights do not fit."""
    transformers = import_extra('transformers', str(model.folder))
    options = dict(config=model.config, use_safetensors=True, output_loading_info=True, **SAFE)
    log = transformers.logging
    verbosity, has_bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()  # it lists each weight of a head that is left out
    log.disable_progress_bar()
    try:
        with reading(model.folder, FIX, CheckpointError):
            network, loading = transformers.AutoModel.from_pretrained(model.folder, **options)
    finally:
        log.set_verbosity(verbosity)
        if has_bar:
            log.enable_progress_bar()
    part = model.family.part
    missing = sorted(name for name in loading['missing_keys'] if name.startswith(part))
    if missing := [name for name in missing if not name.startswith('pooler.')]:  # unused
        raise CheckpointError(f'{model.folder}: lacks {len(missing)} weights, {missing[0]}: {FIX}')
    return (getattr(network, part) if part else network).float()
