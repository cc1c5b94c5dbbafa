from .adversarial import (
    call_with_frozen_weights,
    hinge_discriminator_loss,
    hinge_generator_loss,
    r1_penalty,
)
from .gather import gather, gather_with_gradient, global_mean
from .info_nce import multi_instance_info_nce
from .pose import mean_joint_error, weighted_smooth_l1
from .statistics import effective_rank, feature_deviation

__all__ = [
    'call_with_frozen_weights',
    'effective_rank',
    'feature_deviation',
    'gather',
    'gather_with_gradient',
    'global_mean',
    'hinge_discriminator_loss',
    'hinge_generator_loss',
    'mean_joint_error',
    'multi_instance_info_nce',
    'r1_penalty',
    'weighted_smooth_l1',
]
