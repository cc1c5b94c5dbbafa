from .fixed_weights import FixedWeights, ScheduledWeights

__all__ = ['FixedWeights', 'ScheduledWeights']
