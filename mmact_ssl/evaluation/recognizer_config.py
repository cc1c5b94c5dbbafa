"""The config of an evaluation: an encoder in mmaction2's recognizer, on a data set."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config, ConfigDict

from mmact_ssl.configs.encoder_config import EncoderConfig, fill, read_encoder, read_record
from mmact_ssl.datasets.layouts import COMMON
from mmact_ssl.engine.config_reading import check_options, parse_cfg_options, read_config
from mmact_ssl.errors import ConfigError
from mmact_ssl.io.student_file import StudentFile

# Parts of a recognizer's config that the encoder's config gives.
OF_THE_ENCODER = ('model.backbone', 'model.data_preprocessor', 'test_dataloader.dataset.pipeline')


def read_evaluation(
    encoder: EncoderConfig | StudentFile | str,
    data: str | None = None,
    dataset: str | None = None,
    options: Sequence[str] | None = None,
) -> tuple[Config, EncoderConfig]:
    """Read a data set with the protocols' settings, and put an encoder into its recognizer.

    Args:
        encoder: An encoder, the file that records it, or the text of ``--encoder``; an option that
            the text leaves out has the value that the data set gives.
        data, dataset: As in :func:`mmact_ssl.engine.config_reading.read_config`, one of them.
        options: Words of ``--cfg-options``.

    Raises:
        ConfigError: The encoder does not read such data, or an option would change the encoder.
    """
    cfg = read_config('mmact_ssl::_base_/evaluation.py', None, data, dataset)
    path = encoder.path if isinstance(encoder, StudentFile) else ''
    if isinstance(encoder, str):
        encoder = read_encoder(encoder, of_set=cfg.get('encoder_options'))
    elif isinstance(encoder, StudentFile):
        encoder = read_record(encoder.record.get('encoder'), path)
    check_fit(encoder, cfg, path or encoder.source)
    defaults = encoder.finetune['settings']  # of settings that a data set may have
    settings = {key: cfg.get(key, default) for key, default in defaults.items()}
    tuning = fill({k: v for k, v in encoder.finetune.items() if k != 'settings'}, settings)
    model = tuning['recognizer']
    model['cls_head'].update(num_classes=cfg.num_classes, in_channels=encoder.channels)
    model.update(backbone=encoder.backbone, data_preprocessor=encoder.preprocessor)
    cfg.model = ConfigDict(model)
    for split, clip in dict(train=tuning.get('clip', encoder.clip), test=encoder.clip).items():
        files = cfg[f'{split}_set']
        if encoder.is_skeleton:
            samples = dict(files, type='mmact_ssl.SkeletonDataset')
        else:  # mmaction2's data set takes no prepare_command
            videos = dict(video=files.data_prefix.video)
            samples = dict(
                type='mmaction.VideoDataset', ann_file=files.ann_file, data_prefix=videos
            )
        cfg[f'{split}_dataloader'] = dict(
            **tuning['loader'],
            sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
            dataset=dict(samples, pipeline=clip, test_mode=split == 'test'),
        )
    for key in ('optim_wrapper', 'train_cfg', 'param_scheduler'):
        cfg[key] = tuning[key]
    cfg.finetune.pretrained_lr_mult = tuning['pretrained_lr_mult']
    cfg.test_pipeline = encoder.clip  # mmaction2's inference_recognizer reads it
    if options:
        changes = parse_cfg_options(options)
        if refused := [key for key in changes if key.startswith(OF_THE_ENCODER)]:
            raise ConfigError(f'--cfg-options {refused[0]}: change the encoder by --encoder')
        check_options(cfg, changes)
        cfg.merge_from_dict(changes)
    return cfg, encoder


def check_fit(encoder: EncoderConfig, cfg: Config, path: str) -> None:
    """Raise ConfigError, which names a path, unless an encoder reads the data of a set.

    A network of the common joints reads skeletons of each layout.
    """
    dataset = cfg.dataset_name
    if 'test_set' not in cfg:
        raise ConfigError(f'{dataset}: has no test split: it is for pre-training')
    holds = 'skeletons' if 'skeleton' in cfg.train_set.data_prefix else 'videos'
    reads = 'skeletons' if encoder.is_skeleton else 'videos'
    if reads != holds:
        raise ConfigError(
            f'{path} reads {reads}, and {dataset} holds {holds}: give an encoder '
            f'or a checkpoint for {holds}, or {reads} to evaluate it on'
        )
    trained_on = dict(encoder.options)
    if encoder.layout not in ('', COMMON):
        trained_on['layout'] = encoder.layout
    for name, value in cfg.get('encoder_options', {}).items():
        if name in ('layout', 'coordinates') and trained_on.get(name, value) != value:
            raise ConfigError(
                f'{path} was trained on skeletons of {name}={trained_on[name]}, and '
                f'{dataset} has {name}={value}: a network reads one kind of skeletons'
            )
