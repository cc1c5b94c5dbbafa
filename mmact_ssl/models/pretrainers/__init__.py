from .multi_task_pretrainer import MultiTaskPretrainer

__all__ = ['MultiTaskPretrainer']
