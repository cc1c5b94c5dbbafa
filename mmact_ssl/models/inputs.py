"""Inputs that a head may name, and their check when the model is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmact_ssl.errors import ConfigError

if TYPE_CHECKING:
    from mmact_ssl.models.heads import PretextHead
    from mmact_ssl.models.pretrainer import MultiTaskPretrainer


def available_inputs(model: MultiTaskPretrainer) -> dict[str, str]:
    """Inputs of heads by name, each with what makes it, ``'student'`` or ``'pipeline'``, ...

    Raises:
        ConfigError: The model names a view that the pipeline does not make, an adapter that is not
            there, or a target that two parts make.
    """
    views = model.data_preprocessor.views
    made = dict.fromkeys(views, 'pipeline')
    made.update({f'targets.{t}': 'pipeline' for t in model.data_preprocessor.made_targets})
    for name, adapter in model.adapter_of.items():
        if adapter not in model.adapters:
            raise ConfigError(
                f'model.adapters.{name}={adapter!r} shares an adapter that is not there; there are '
                f'{sorted(model.adapters)}'
            )
    makers = [('encode', model.encode_names), ('momentum_encoder.views', model.momentum_views)]
    makers += [(f'teachers.{name}.views', views) for name, views in model.teacher_views.items()]
    for key, names in makers:
        for view in names:
            if view not in views:
                raise ConfigError(
                    f'model.{key} names the view {view!r}, but the pipeline makes {list(views)}: '
                    'add it to model.data_preprocessor.views and to the pipeline'
                )
    for view in model.statistics_views or ():
        if view not in model.encode_names:
            raise ConfigError(
                f'model.statistics_views names the view {view!r}, but the student encodes '
                f'{list(model.encode_names)}: name views of model.encode'
            )
    features = ('feature_map', 'pooled', *model.adapter_of)
    made.update({f'{view}.{f}': 'student' for view in model.encode_names for f in features})
    momentum = 'momentum encoder'
    made.update(
        {f'{view}.momentum_{f}': momentum for view in model.momentum_views for f in features}
    )
    for name, teacher_views in model.teacher_views.items():
        for target in (f'targets.{view}.{name}' for view in teacher_views):
            if target in made:
                raise ConfigError(
                    f'{target} comes from both model.teachers.{name} and the pipeline: take it out '
                    'of model.data_preprocessor.targets or drop the teacher'
                )
            made[target] = f'teacher {name}'
    return made


def check_inputs(heads: Mapping[str, PretextHead], available: Mapping[str, str]) -> None:
    """Check that all inputs of all heads are made, else ConfigError with the key of the config."""
    if not heads:
        raise ConfigError('model.heads has no task: name at least one pretext head')
    for task, head in heads.items():
        for argument, name in head.inputs.items():
            if name not in available:
                raise ConfigError(
                    f'the head {task!r} reads {name!r} (model.heads.{task}.inputs.{argument}), '
                    f'which nothing makes; there are {sorted(available)}: add the view or target '
                    'to the pipeline and model.data_preprocessor, or the adapter to model.adapters'
                )


def check_last_map(model: MultiTaskPretrainer) -> None:
    """Check that a task trains the last map, which evaluation reads, else ConfigError."""
    last = len(getattr(model.backbone, 'out_indices', None) or (0,)) - 1
    levels = {n: getattr(model.adapters[a], 'level', -1) for n, a in model.adapter_of.items()}
    of_last_map = {'feature_map', 'pooled', *(n for n, v in levels.items() if v in (-1, last))}
    inputs = {
        name
        for task, head in model.tasks.items()
        if model.balancer.weights.get(task) != 0
        for name in head.inputs.values()
        if name in model.student_inputs
    }
    if not any(name.rpartition('.')[2] in of_last_map for name in inputs):
        raise ConfigError(
            f'model.heads: its tasks read {", ".join(sorted(inputs)) or "nothing"} of the student, '
            'and none trains the last map, which evaluation reads: switch on a task that reads '
            'feature_map, pooled or an adapter with level=-1'
        )


def describe_inputs(heads: Mapping[str, PretextHead], available: Mapping[str, str]) -> str:
    """A table of tasks, their inputs and what makes these."""
    lines = [
        f'{task:<14} {name:<32} {available[name]}'
        for task, head in heads.items()
        for name in head.inputs.values()
    ]
    return '\n'.join([f'{"task":<14} {"input":<32} made by', *lines])
