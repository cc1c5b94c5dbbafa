"""The model and the optimizers inside mmengine's wrappers."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict


def unwrap_model(model: Any) -> Any:
    """Return a model without the wrapper of distributed training."""
    return model.module if is_model_wrapper(model) else model


def unwrap_optimizers(wrapper: OptimWrapper | OptimWrapperDict) -> list[OptimWrapper]:
    """List the optimizer wrappers in a dict of several, or the only one."""
    return [*wrapper.values()] if isinstance(wrapper, OptimWrapperDict) else [wrapper]
