from .adaptive_instance_norm import adaptive_instance_norm
from .task_adapter import ConvolutionAdapter

__all__ = ['ConvolutionAdapter', 'adaptive_instance_norm']
