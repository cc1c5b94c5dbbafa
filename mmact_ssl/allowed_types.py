"""The types that a file from outside may name, and the largest numbers that it may hold.

A published model's card and a checkpoint's config are text that anybody may have written.
:mod:`mmact_ssl.parts` builds these types and no other. A type of one's own is added by name
once its module is imported: ``ALLOWED_TYPES['backbone'].add('mmact_ssl.MyBackbone')``.
Names without a registered class are ignored. SECURITY.md shows the same table.
"""

from __future__ import annotations

from collections.abc import Mapping

# Place in a config -> full names of parts, or names of layers as they are.
ALLOWED_TYPES: Mapping[str, set[str]] = {
    'backbone': {
        'mmact_ssl.MaskedVisionTransformer',
        'mmact_ssl.SkeletonGRU',
        'mmact_ssl.SkeletonGraphNetwork',
        'mmact_ssl.SkeletonStreams',
        'mmact_ssl.SkeletonTransformer',
        'mmact_ssl.TemporalShiftNetwork',
        'mmaction.C2D',
        'mmaction.C3D',
        'mmaction.MViT',
        'mmaction.MobileNetV2',
        'mmaction.MobileNetV2TSM',
        'mmaction.ResNet',
        'mmaction.ResNet3d',
        'mmaction.ResNet3dCSN',
        'mmaction.ResNet3dSlowFast',
        'mmaction.ResNet3dSlowOnly',
        'mmaction.ResNetTIN',
        'mmaction.ResNetTSM',
        'mmaction.STGCN',
        'mmaction.SwinTransformer3D',
        'mmaction.UniFormer',
        'mmaction.VisionTransformer',
        'mmaction.X3D',
    },
    'pooling': {'mmact_ssl.SkeletonPooling'},
    'preprocessor': {'mmaction.ActionDataPreprocessor'},
    'transform': {
        'mmact_ssl.BonesAndMotion',
        'mmact_ssl.DecodeFrames',
        'mmact_ssl.NormalizeSkeleton',
        'mmact_ssl.PadFrames',
        'mmact_ssl.ReadVideo',
        'mmact_ssl.ResampleFrames',
        'mmact_ssl.ToCommonJoints',
        'mmaction.ArrayDecode',
        'mmaction.CenterCrop',
        'mmaction.DenseSampleFrames',
        'mmaction.FormatGCNInput',
        'mmaction.FormatShape',
        'mmaction.PackActionInputs',
        'mmaction.PreNormalize2D',
        'mmaction.PreNormalize3D',
        'mmaction.Resize',
        'mmaction.SampleFrames',
        'mmaction.TenCrop',
        'mmaction.ThreeCrop',
        'mmaction.UniformSample',
        'mmaction.UniformSampleFrames',
    },
    'convolution': {'Conv', 'Conv1d', 'Conv2d', 'Conv3d'},
    'normalization': {
        'BN', 'BN1d', 'BN2d', 'BN3d', 'GN', 'IN', 'IN1d', 'IN2d', 'IN3d', 'LN', 'SyncBN',
    },
    'activation': {
        'ELU', 'GELU', 'HSigmoid', 'HSwish', 'LeakyReLU', 'PReLU', 'ReLU', 'ReLU6', 'SiLU',
        'Sigmoid', 'Swish', 'Tanh',
    },
}  # fmt: skip

# Key of an argument -> its place. A dict under any other key must not have a type.
PLACES = {
    'backbone': 'backbone',
    'encoder': 'backbone',
    'network': 'backbone',
    'conv_cfg': 'convolution',
    'norm_cfg': 'normalization',
    'act_cfg': 'activation',
}
# A class chooses between these itself, without a registry.
PATHWAYS = {'slow_pathway': {'resnet3d'}, 'fast_pathway': {'resnet3d'}}
# Key of a dict for another package -> the keys that it may have.
HANDED_ON = {
    'model_args': {
        'bn_eps', 'bn_momentum', 'drop_path_rate', 'drop_rate', 'in_chans', 'zero_init_last',
    },
}  # fmt: skip

# Shipped configs: 512 channels, 3 levels, 30 values a part.
MAX_NUMBER = 10_000
MAX_DEPTH = 8
MAX_VALUES = 1000
# Tighter limits for numbers whose square or product sets the memory.
MAX_BY_KEY = {'max_hop': 16, 'num_filter': 16, 'num_node': 256, 'num_person': 32, 'num_persons': 32}
# Frames of a sample times the square of the largest side: ten clips of 32 frames of 256 x 256
# pixels with three crops are 6.3e7.
MAX_PIXELS = 2**26
# Modules, parameters and buffers of a network; the largest networks of timm have some 3,000.
MAX_MODULES = 10_000
# Values that a network may have beyond the bytes of its file: timm builds a classifier of up to
# 22,000 classes before it drops it.
SPARE_VALUES = 2**26
