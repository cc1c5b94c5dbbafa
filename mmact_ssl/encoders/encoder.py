"""An encoder in memory: network, preprocessing, and the way from a file to a feature."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import Compose, pseudo_collate
from mmengine.logging import MMLogger
from torch import Tensor, nn

from mmact_ssl.configs.encoder_config import (
    FIX,
    EncoderConfig,
    read_encoder,
    read_record,
    shipped_encoders,
)
from mmact_ssl.engine.terminal import log_once
from mmact_ssl.errors import CheckpointError, ConfigError
from mmact_ssl.io.files import reading, sha256_of, sha256_of_file
from mmact_ssl.io.hf_folder import read_model
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.weights import (
    find_weights,
    load_pretrained,
    load_strictly,
    pretrained_files,
    take_pretrained,
)
from mmact_ssl.models.encoding import check_whole_clips, shift_length
from mmact_ssl.models.skeletons import valid_frames

INITIAL_WEIGHTS = ('checkpoint', 'pretrained')  # arguments of a backbone that name them


@dataclass(eq=False)
class Encoder:
    """A student and all that it needs to read a file, in evaluation mode.

    Attributes:
        config: Its config, with the values of options in place.
        backbone: Takes normalized float ``(N, C, T, H, W)`` (2D networks: frames ``(N, C, H, W)``),
            or skeletons ``(N, M, T, V, C)``.
        preprocessor: Collates and normalizes samples.
        pooling: Pooling of skeletons; None: the mean over positions.
        saved: The file of its weights; None for the initial weights of the config.
    """

    config: EncoderConfig
    backbone: nn.Module
    preprocessor: nn.Module
    pooling: nn.Module | None = None
    saved: StudentFile | None = None

    @classmethod
    def load(cls, source: str | PathLike[str] | StudentFile, encoder: str | None = None) -> Encoder:
        """Load an encoder.

        Args:
            source: Name of a published model; path of a published file, of a training checkpoint or
                of a work dir; or an encoder config by name or path, which gives the initial
                weights.
            encoder: Encoder config in place of the one that a file records, see
                :func:`read_encoder`.

        Raises:
            CheckpointError: The file is damaged, records no shipped encoder, or its weights are
                not those of the encoder.
            ConfigError: There is no such encoder config, option or value.
        """
        if not isinstance(source, StudentFile):
            text = fspath(source)
            name = text.partition(',')[0]
            if name.endswith('.py') or name in shipped_encoders():
                if encoder is not None:
                    raise ConfigError(f'{text} is an encoder itself: leave out {encoder}')
                return cls.build(read_encoder(text))
            source = StudentFile.read(text)
        if encoder is not None:
            return cls.build(read_encoder(encoder), source)
        return cls.build(read_record(source.record.get('encoder'), source.path), source)

    @classmethod
    def build(
        cls,
        config: EncoderConfig,
        saved: StudentFile | None = None,
        backbone: nn.Module | None = None,
    ) -> Encoder:
        """Build the networks of a config, with the initial weights or those of a file.

        Args:
            saved: Without one the backbone has the initial weights of the config.
            backbone: One that has its initial weights already, such as that of a recognizer.

        Raises:
            CheckpointError: The weights of the file are not those of the network.
        """
        import mmaction.models  # noqa: F401  (fills the registry)

        from mmact_ssl.registry import MODELS

        if backbone is None:
            path, part = config.source, config.backbone
            if saved is not None:
                path, part = saved.path, without_initial_weights(part)
            fix = f'correct the options of its encoder, {config.source}'
            try:
                with reading(path, fix, CheckpointError):
                    backbone = MODELS.build(copy.deepcopy(part))
            except ConfigError as error:  # e.g. an unknown layout
                kind = ConfigError if saved is None else CheckpointError
                raise kind(f'{path}: {error}') from None
            if saved is None:
                initialize(backbone)
        if saved is not None:
            load_student(backbone, config, saved)
        preprocessor = MODELS.build(copy.deepcopy(config.preprocessor))
        pooling = None if config.pooling is None else MODELS.build(dict(config.pooling))
        for module in (backbone, preprocessor, pooling):
            if module is not None:
                module.requires_grad_(False)
                module.eval()  # mmaction2's ResNet3d returns None
        return cls(config, backbone, preprocessor, pooling, saved)

    @property
    def student(self) -> StudentFile:
        """The file of the weights; ConfigError without one."""
        if self.saved is None:
            raise ConfigError(f'{self.config.source}: has no file of weights: give a checkpoint')
        return self.saved

    @cached_property
    def sha256(self) -> str:
        """Hash of the file of the weights, or of the initial ones; '' for random ones."""
        return weights_hash(self.config, self.saved)

    @property
    def name(self) -> str:
        """Name of the published model, of the pre-training config, or of the encoder's config."""
        if self.saved is None:
            return self.config.name
        return self.saved.record.get('name') or self.saved.config_name or self.config.name

    @cached_property
    def stages(self) -> tuple[Compose, Compose, Compose]:
        """The clip's transforms in three parts: open a video, choose frames, make a sample."""
        steps = self.config.clip
        names = [step['type'].rpartition('.')[2] for step in steps]
        opened = 'ReadVideo' in names
        readers = {'DescribeMotion', 'DecodeFrames'} & {*names}  # they read the chosen frames
        if opened and not readers:
            raise ConfigError(f'{self.config.source}: encoder.clip needs DecodeFrames')
        decoded = min(map(names.index, readers)) if opened else 0
        parts = steps[:opened], steps[opened:decoded], steps[decoded:]
        return build_transforms(parts[0]), build_transforms(parts[1]), build_transforms(parts[2])

    @cached_property
    def transform(self) -> Compose:
        """The clip's transforms: they take what a data set gives, e.g. ``dict(filename='a.mp4',
        start_index=0, modality='RGB')``, and make a sample."""
        return build_transforms(self.config.clip)

    def to(self, device: str | torch.device) -> Encoder:
        """Move the networks to a device."""
        for part in (self.backbone, self.preprocessor, self.pooling):
            if part is not None:
                part.to(device)
        return self

    @torch.no_grad()
    def features(self, samples: Sequence[dict[str, Any]]) -> Tensor:
        """Features ``(N, C)`` of N samples of one shape, which :attr:`transform` has made."""
        return self.features_of(pseudo_collate(list(samples)))

    @torch.no_grad()
    def features_of(self, batch: dict[str, Any]) -> Tensor:
        """Features ``(N, C)`` of a collated batch, with the descriptor of motion, if any."""
        data = self.preprocessor(batch, training=False)
        is_split = data['inputs'].device.type == 'cpu' and shift_length(self.backbone) > 1
        size = 2 if is_split else len(data['inputs'])  # maps of two clips fit a CPU's cache
        features = torch.cat([self.encode(part) for part in data['inputs'].split(size)])
        if self.config.motion is None:
            return features
        motion = np.stack([sample.motion for sample in data['data_samples']])
        return join_motion(features, torch.from_numpy(motion).to(features), **self.config.motion)

    def encode(self, inputs: Tensor) -> Tensor:
        """The network's features ``(N, C)`` of a normalized batch ``(N, num_clips, ...)``.

        For a network that shifts channels in time, ``num_clips`` is a number of frames: those of
        one clip, or of several clips one after the other.
        """
        num_clips, clips = inputs.shape[1], inputs.flatten(0, 1)
        check_whole_clips(shift_length(self.backbone), num_clips)
        output = self.backbone(clips)
        if self.pooling is not None:
            output = self.pooling(output, valid_frames(clips))
        features = pool_features(output, num_clips, self.config.deviation).float()
        if features.shape[1] != self.config.network_dim:
            expected = f'{self.config.network_dim} by its channels, {self.config.channels}'
            found = f'a feature has {features.shape[1]} values, not {expected}'
            raise ConfigError(f'{self.config.source}: {found}: correct encoder.channels')
        return features


def pool_features(output: Tensor | tuple, num_clips: int, deviation: bool = False) -> Tensor:
    """Average a backbone's map over its positions and over the clips of a video, ``(B, D)``.

    Args:
        output: ``(B*num_clips, D, ...)``, or a tuple with this as its last entry.
        num_clips: Clips per video; for a 2D network, frames.
        deviation: Append the standard deviation over the clips, ``(B, 2*D)``.
    """
    feature = output[-1] if isinstance(output, (tuple, list)) else output
    feature = feature.flatten(2).mean(dim=2) if feature.ndim > 2 else feature  # (B*num_clips, D)
    clips = feature.unflatten(0, (-1, num_clips))
    spread = [clips.std(dim=1, correction=0)] if deviation else []
    return torch.cat([clips.mean(dim=1), *spread], dim=1)


def join_motion(
    features: Tensor, motion: Tensor, weight: float, center: Sequence[float], channels: int
) -> Tensor:
    """Features of unit length, and beside them the descriptor of motion, ``(N, C + channels)``.

    Args:
        features: ``(N, C)``.
        motion: ``(N, channels)``, see :func:`mmact_ssl.datasets.motion.describe_clip`.
        weight: Length of the descriptor's part.
        center: Subtracted from equal parts of the descriptor before: mean and deviation of the
            three histograms.
    """
    parts = motion.unflatten(1, (len(center), channels // len(center)))
    motion = (parts - motion.new_tensor(center)[:, None]).flatten(1)
    return torch.cat([F.normalize(features, dim=1), weight * F.normalize(motion, dim=1)], dim=1)


def without_initial_weights(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Config of a backbone without the files of its initial weights, which need not exist."""
    return {key: value for key, value in backbone.items() if key not in INITIAL_WEIGHTS}


def initialize(network: Any) -> None:
    """Give a network the initial weights that its config names, or random ones."""
    starts = take_pretrained(network)
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)  # mmengine logs four lines for every parameter
    try:
        network.init_weights()
    finally:
        logger.setLevel(level)
    for module, start in starts:
        load_pretrained(module, **start)


def load_student(backbone: nn.Module, config: EncoderConfig, saved: StudentFile) -> None:
    """Load all weights of the student in a file into its backbone, and log their number.

    Raises:
        CheckpointError: They are not those of the network.
    """
    student = saved.backbone_weights
    fix = f'they are not of {config.source} with {config.options}: {FIX}'
    load_strictly(backbone, student, saved.path, fix)
    others = len(saved.weights) - len(student)
    log_once(
        f'weights from {saved.path}: all {len(student)} weights of the network'
        + (f'; the other {others} are of the pretext tasks' if others else '')
    )


def weights_hash(config: EncoderConfig, saved: StudentFile | None = None) -> str:
    """Hash of the file of the weights, or of the initial ones of a config; '' for random ones."""
    if saved is not None:
        return saved.sha256
    backbone = config.backbone
    files = [(backbone[key], f'backbone.{key}') for key in INITIAL_WEIGHTS if backbone.get(key)][:1]
    files += [(file, 'backbone.init_cfg') for file in pretrained_files(backbone)]
    hashes = [sha256_of_file(find_weights(*file)) for file in files]
    if 'model' in config.options:
        hashes += map(sha256_of_file, read_model(backbone['model']).files.values())
    return ''.join(hashes) if len(hashes) < 2 else sha256_of(' '.join(hashes))


def build_transforms(steps: Sequence[Mapping[str, Any]]) -> Compose:
    """Build transforms of mmaction2 and of this package."""
    import mmaction.datasets  # noqa: F401  (fills the registry)

    from mmact_ssl.registry import TRANSFORMS

    return Compose([TRANSFORMS.build(copy.deepcopy(dict(step))) for step in steps])
