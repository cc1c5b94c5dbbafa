"""What a head may read, and the check of it when the model is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mmact_ssl.errors import ConfigError

if TYPE_CHECKING:
    from mmact_ssl.models.heads import PretextHead


def available_inputs(
    views: Iterable[str],
    targets: Iterable[str],
    encode: Iterable[str],
    momentum_views: Iterable[str],
    adapters: Mapping[str, str],
    teacher_views: Mapping[str, Iterable[str]],
) -> dict[str, str]:
    """Inputs of heads by name, each with what makes it.

    Args:
        views, targets: Of the pipeline, ``'<view>'`` and ``'<view>.<name>'``.
        encode, momentum_views: Views of the student and of the momentum encoder.
        adapters: Name -> adapter that makes it.
        teacher_views: Online teacher -> its views.

    Raises:
        ConfigError: A view is not made by the pipeline, or a target is made twice.
    """
    views = tuple(views)
    made = {**dict.fromkeys(views, 'pipeline')}
    made.update({f'targets.{target}': 'pipeline' for target in targets})
    features = ('feature_map', 'pooled', *adapters)
    for key, names, maker in (
        ('encode', encode, 'student'),
        ('momentum_encoder.views', momentum_views, 'momentum encoder'),
        *((f'teachers.{name}.views', v, name) for name, v in teacher_views.items()),
    ):
        for view in names:
            if view not in views:
                raise ConfigError(
                    f'model.{key} names the view {view!r}, but the pipeline makes {list(views)}: '
                    'add it to model.data_preprocessor.views and to the pipeline'
                )
            if maker in teacher_views:
                target = f'targets.{view}.{maker}'
                if target in made:
                    raise ConfigError(
                        f'{target} comes from both model.teachers.{maker} and the pipeline: take '
                        'it out of model.data_preprocessor.targets or drop the teacher'
                    )
                made[target] = f'teacher {maker}'
            else:
                prefix = 'momentum_' if maker == 'momentum encoder' else ''
                made.update({f'{view}.{prefix}{name}': maker for name in features})
    return made


def check_inputs(heads: Mapping[str, PretextHead], available: Mapping[str, str]) -> None:
    """Check that all inputs of all heads are made.

    Raises:
        ConfigError: An input is not; names the head, the input and the config key.
    """
    for task, head in heads.items():
        for argument, source in head.inputs.items():
            if source not in available:
                raise ConfigError(
                    f'the head {task!r} reads {source!r} (model.heads.{task}.inputs.{argument}), '
                    f'which nothing makes; there are {sorted(available)}: add the view or target '
                    'to the pipeline and model.data_preprocessor, or the adapter to model.adapters'
                )


def describe_inputs(heads: Mapping[str, PretextHead], available: Mapping[str, str]) -> str:
    """A table of tasks, their inputs and what makes these."""
    rows = [
        (task, source, available[source])
        for task, head in heads.items()
        for source in head.inputs.values()
    ]
    lines = [f'{task:<14} {source:<32} {maker}' for task, source, maker in rows]
    return '\n'.join([f'{"task":<14} {"reads":<32} made by', *lines])
