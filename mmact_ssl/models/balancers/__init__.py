"""Balancers: one loss of the tasks' losses."""

from .balancer import Balancer
from .fixed_weights import FixedWeights, ScheduledWeights
from .gradnorm import GradNorm
from .pcgrad import PCGrad
from .shared_gradients import SharedGradients, shared_weights
from .uncertainty import UncertaintyWeights

__all__ = [
    'Balancer',
    'FixedWeights',
    'GradNorm',
    'PCGrad',
    'ScheduledWeights',
    'SharedGradients',
    'UncertaintyWeights',
    'shared_weights',
]
