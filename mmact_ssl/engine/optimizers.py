"""Two optimizers, one backward pass; which steps were made; unwrapping of models, optimizers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from mmact_ssl.errors import ConfigError
from mmact_ssl.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class AdversarialOptimWrapperConstructor:
    """Give parameters under a ``discriminator`` to the adversary, all others to the student's side.

    A model without discriminators (all adversarial tasks switched off) gets an ordinary wrapper.

    Args:
        optim_wrapper_cfg: As in mmengine, plus ``adversary``: its own ``optimizer``, ``clip_grad``.
        paramwise_cfg: As in mmengine, for both sides.

    Raises:
        ConfigError: ``adversary`` has another key, or all parameters are the adversary's.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        # A copy, because mmengine removes settings such as clip_grad.type from its argument.
        config = {'type': 'OptimWrapper', **copy.deepcopy(dict(optim_wrapper_cfg))}
        adversary = dict(config.pop('adversary', {}))
        if shared := adversary.keys() - {'optimizer', 'clip_grad'}:
            fix = 'only optimizer and clip_grad are per side: set it in optim_wrapper, for both'
            raise ConfigError(f'optim_wrapper.adversary.{min(shared)}: {fix}')
        # mmengine cannot scale a weight decay by paramwise_cfg if the optimizer gives none.
        optimizer = adversary.get('optimizer') or config['optimizer']
        adversary['optimizer'] = {'weight_decay': 0.0, **optimizer}
        self.configs = dict(student=config, adversary=copy.deepcopy({**config, **adversary}))
        self.paramwise_cfg = paramwise_cfg

    def __call__(self, model: nn.Module) -> OptimWrapper:
        model = unwrap_model(model)
        adversary = {
            id(parameter)
            for name, parameter in model.named_parameters()
            if any(part.startswith('discriminator') for part in name.split('.'))
        }
        if not (student := {id(parameter) for parameter in model.parameters()} - adversary):
            raise ConfigError('model: has no parameters but those of discriminators: correct it')
        wrappers = {
            side: _SubsetConstructor(self.configs[side], self.paramwise_cfg, members)(model)
            for side, members in dict(student=student, adversary=adversary).items()
            if members
        }
        return AdversarialOptimWrapper(**wrappers) if adversary else wrappers['student']


class _SubsetConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor, for some of a model's parameters."""

    def __init__(self, config: dict, paramwise_cfg: dict | None, members: set[int]) -> None:
        # mmengine treats parameters one by one only if there is a param-wise setting.
        super().__init__(config, {'custom_keys': {}, **(paramwise_cfg or {})})
        self.members = members

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: object
    ) -> None:
        """Select the members, and join parameters with the same settings in one group."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if prefix:  # a call for a part of the model, inside the outermost one
            return
        groups: dict[tuple, dict] = {}
        for group in params:
            if id(group['params'][0]) in self.members:
                key = tuple(sorted((k, v) for k, v in group.items() if k != 'params'))
                groups.setdefault(key, {**group, 'params': []})['params'] += group['params']
        params[:] = groups.values()


@OPTIM_WRAPPERS.register_module()
class AdversarialOptimWrapper(OptimWrapperDict):
    """Step a student's and its adversary's optimizer after one backward pass.

    Heads compute the student's losses through discriminators with frozen weights, and the
    discriminators' losses on detached samples: each parameter gets the gradient of its own side
    only. Both sides step on the gradients of the same iterate (simultaneous gradient descent), the
    adversary first. Our choice: a second forward pass after the adversary's step would encode each
    view twice.

    Args:
        student, adversary: Built optimizer wrappers of the same type.
    """

    def __init__(self, student: OptimWrapper, adversary: OptimWrapper) -> None:
        super().__init__(student=student, adversary=adversary)
        if adversary.clip_grad_kwargs:
            # Under one name the log would average the gradient norms of both sides.
            adversary.grad_name = f'adversary_{adversary.grad_name}'
        # One backward pass has one loss scale.
        if (scaler := getattr(student, 'loss_scaler', None)) is not None:
            adversary.loss_scaler = scaler

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Mixed precision and, while gradients accumulate, no synchronization."""
        with self['student'].optim_context(model):
            yield

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        self['student'].initialize_count_status(model, cur_iter, max_iters)

    def update_params(
        self, loss: Tensor, step_kwargs: dict | None = None, zero_kwargs: dict | None = None
    ) -> None:
        """Back-propagate once; step both sides when enough gradients have accumulated."""
        student = self['student']
        student.backward(student.scale_loss(loss))
        if student.should_update():
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))

    def step(self, **kwargs: object) -> None:
        """Adversary first, then student; the shared loss scale is updated once, after both."""
        scaler = getattr(self['student'], 'loss_scaler', None)
        for side in (self['adversary'], self['student']):
            if scaler is None:
                side.step(**kwargs)
                continue
            if side.clip_grad_kwargs:
                scaler.unscale_(side.optimizer)
                side._clip_grad()
            scaler.step(side.optimizer, **kwargs)
        if scaler is not None:
            scaler.update(self['student']._scale_update_param)


def makes_step(wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """True if the last iteration ended with a step, not with accumulated gradients."""
    return unwrap_optimizers(wrapper)[0].should_update()  # several step together


def has_moved(optimizer: Optimizer) -> bool:
    """True if the optimizer's last step changed a parameter; call it in a post-step hook.

    :class:`NonFiniteHook` removes gradients before a step. With a loss scale, a fused optimizer is
    called even if a gradient overflows, and skips the step by its ``found_inf``.
    """
    if getattr(optimizer, 'found_inf', None):
        return False
    return any(p.grad is not None for group in optimizer.param_groups for p in group['params'])


def unwrap_model(model: Any) -> Any:
    """Return a model without the wrapper of distributed training."""
    return model.module if is_model_wrapper(model) else model


def unwrap_optimizers(wrapper: OptimWrapper | OptimWrapperDict) -> list[OptimWrapper]:
    """List the optimizer wrappers in a dict of several, or the only one."""
    return [*wrapper.values()] if isinstance(wrapper, OptimWrapperDict) else [wrapper]
