"""Losses: a pure function and the registered module around it, one a file."""

from .frames import FrameLoss
from .gather import gather, gather_with_gradient, global_mean
from .hinge_gan import HingeGANLoss, call_with_frozen_weights
from .info_nce import InfoNCELoss, info_nce
from .joints import JointLoss, MotionLoss, joint_distance
from .label import LabelLoss
from .multi_instance_info_nce import MultiInstanceInfoNCELoss, multi_instance_info_nce
from .multi_positive_info_nce import MultiPositiveInfoNCELoss, multi_positive_info_nce
from .nt_xent import NTXentLoss, nt_xent
from .part_map_divergence import (
    PartMapDivergenceLoss,
    as_distribution,
    part_logits,
    part_map_divergence,
    part_overlap,
)
from .soft_target_info_nce import SoftTargetInfoNCELoss, soft_target_info_nce, soft_targets
from .statistics import effective_rank, feature_std

__all__ = [
    'FrameLoss',
    'HingeGANLoss',
    'InfoNCELoss',
    'JointLoss',
    'LabelLoss',
    'MotionLoss',
    'MultiInstanceInfoNCELoss',
    'MultiPositiveInfoNCELoss',
    'NTXentLoss',
    'PartMapDivergenceLoss',
    'SoftTargetInfoNCELoss',
    'as_distribution',
    'call_with_frozen_weights',
    'effective_rank',
    'feature_std',
    'gather',
    'gather_with_gradient',
    'global_mean',
    'info_nce',
    'joint_distance',
    'multi_instance_info_nce',
    'multi_positive_info_nce',
    'nt_xent',
    'part_logits',
    'part_map_divergence',
    'part_overlap',
    'soft_target_info_nce',
    'soft_targets',
]
