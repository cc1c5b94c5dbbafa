from .adversarial import (
    call_with_frozen_weights,
    hinge_discriminator_loss,
    hinge_generator_loss,
    r1_penalty,
)
from .classification import classification_loss
from .gather import gather, gather_with_gradient, global_mean
from .info_nce import info_nce, multi_instance_info_nce, multi_positive_info_nce
from .nt_xent import nt_xent
from .parsing import as_distribution, part_logits, part_map_divergence, part_overlap
from .pose import mean_joint_error, weighted_smooth_l1
from .soft_targets import soft_target_info_nce, soft_targets
from .statistics import effective_rank, feature_std

__all__ = [
    'as_distribution',
    'call_with_frozen_weights',
    'classification_loss',
    'effective_rank',
    'feature_std',
    'gather',
    'gather_with_gradient',
    'global_mean',
    'hinge_discriminator_loss',
    'hinge_generator_loss',
    'info_nce',
    'mean_joint_error',
    'multi_instance_info_nce',
    'multi_positive_info_nce',
    'nt_xent',
    'part_logits',
    'part_map_divergence',
    'part_overlap',
    'r1_penalty',
    'soft_target_info_nce',
    'soft_targets',
    'weighted_smooth_l1',
]
