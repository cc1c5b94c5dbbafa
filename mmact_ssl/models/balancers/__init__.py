"""How the tasks' losses become one."""

from .balancer import Balancer
from .fixed_weights import FixedWeights, ScheduledWeights
from .gradnorm import GradNorm
from .pcgrad import PCGrad
from .trunk_gradients import TrunkGradients, shared_weights
from .uncertainty import UncertaintyWeights

__all__ = [
    'Balancer',
    'FixedWeights',
    'GradNorm',
    'PCGrad',
    'ScheduledWeights',
    'TrunkGradients',
    'UncertaintyWeights',
    'shared_weights',
]
