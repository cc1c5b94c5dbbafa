"""One student, several pretext tasks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Optional, Union, cast

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.balancers import Balancer, SharedGradients, shared_weights
from mmact_ssl.models.heads import PretextHead
from mmact_ssl.models.losses import effective_rank, feature_std
from mmact_ssl.models.momentum.copy import MomentumCopy
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.registry import MODELS

# Takes the gradients of a step and the weights of its tasks.
LossObserver = Callable[[SharedGradients, Mapping[str, Union[float, Tensor]]], None]


@MODELS.register_module()
class MultiTaskPretrainer(BaseModel):
    """Encode named views once with one student and let pretext heads read the features.

    Args:
        backbone: The student, the only thing that downstream work keeps.
        heads: Task -> pretext head; ``None`` switches a task off.
        data_preprocessor: A :class:`PretextDataPreprocessor`, which names the views and targets
            that the pipeline packs.
        encode: Views that the student encodes.
        encode_together: Whether views of one shape go through the student as one batch. Faster, but
            batch normalization then mixes their statistics.
        frame_wise: Whether the student is a 2D network, which reads frames ``[N, C, H, W]``; its
            maps are put together again to those of a clip, and the mean over a clip leaves out
            frames that only fill it up.
        adapters: Name -> module on the feature map; each is applied to every encoded view. The name
            of another adapter in place of a module lets tasks share that one's representation.
        pooling: Module from the feature map and the view's validity to ``[B, D]``; the mean over
            all positions unless given, which a view with padding must not be left to.
        balancer: How the tasks' losses become one, a :class:`Balancer` without its tasks,
            :class:`FixedWeights` unless given.
        shared_weights: Prefix of the backbone's parameters on which the tasks' gradients are
            compared, by some balancers and by ``GradientConflictHook``: ``'layer4'``, or ``''`` for
            all; the last weight unless given.
        teachers: Target -> ``dict(teacher=..., views=...)``: frozen networks that make the target
            ``'<view>_<target>'`` of each of these views online.
        momentum_encoder: ``dict(views=..., momentum=0.999)``: a :class:`MomentumCopy` of backbone
            and adapters encodes these views too; :class:`MomentumCopyHook` moves it. ``pooling`` is
            the student's own.
        monitor_interval: Log the features' deviation and effective rank every so many steps.

    Raises:
        ConfigError: a head reads what neither the pipeline nor the model makes, or the backbone
            has no parameter of the prefix.
    """

    def __init__(
        self,
        backbone: dict,
        heads: dict[str, Optional[dict]],
        data_preprocessor: dict,
        encode: Sequence[str] = ('clip',),
        encode_together: bool = False,
        frame_wise: bool = False,
        adapters: Optional[dict[str, Union[dict, str, None]]] = None,
        pooling: Optional[dict] = None,
        balancer: Optional[dict] = None,
        shared_weights: Optional[str] = None,
        teachers: Optional[dict[str, dict]] = None,
        momentum_encoder: Optional[dict] = None,
        monitor_interval: int = 10,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.encode_names = tuple(encode)
        self.encode_together = encode_together
        self.frame_wise = frame_wise
        self.monitor_interval = monitor_interval
        self.backbone = MODELS.build(backbone)
        shared = {n: a for n, a in (adapters or {}).items() if isinstance(a, str)}
        own = {n: a for n, a in (adapters or {}).items() if not isinstance(a, str)}
        # Of mmengine: initialization does not reach into torch's own containers.
        self.adapters = ModuleDict(_build_all(own))
        self.adapter_of: dict[str, str] = {**{name: name for name in self.adapters}, **shared}
        self.pooling = None if pooling is None else MODELS.build(pooling)
        self.heads = ModuleDict(_build_all(heads))
        self.balancer: Balancer = MODELS.build(
            {**(balancer or dict(type='mmact_ssl.FixedWeights')), 'tasks': list(self.heads)}
        )
        self.shared_weights = shared_weights
        # Called in a step with the tasks' gradients and weights, see GradientConflictHook.
        self.loss_observer: Optional[LossObserver] = None
        self.teacher_views = {name: tuple(c['views']) for name, c in (teachers or {}).items()}
        # Of torch: teachers have their weights already, which initialization would overwrite.
        self.teachers = nn.ModuleDict(
            _build_all({n: c['teacher'] for n, c in (teachers or {}).items()})
        )
        self.momentum_views: tuple[str, ...] = ()
        self.momentum_encoder: Optional[MomentumCopy] = None
        if momentum_encoder is not None:
            self._copy_encoder(**momentum_encoder)
        self._check_sources()
        self._check_shared_weights()

    def _copy_encoder(self, views: Sequence[str], momentum: float = 0.999) -> None:
        self.momentum_views = tuple(views)
        self.momentum_encoder = MomentumCopy(self._encoder(), momentum)

    def _encoder(self) -> nn.ModuleDict:
        """What the momentum encoder copies; made when asked for, so that names stay as they are."""
        return nn.ModuleDict(dict(backbone=self.backbone, adapters=self.adapters))

    def momentum_pairs(self) -> list[tuple[MomentumCopy, nn.Module]]:
        """The momentum copies of the model and its heads, each with what it follows."""
        pairs = [pair for head in self.tasks.values() for pair in head.momentum_pairs()]
        if self.momentum_encoder is not None:
            pairs.append((self.momentum_encoder, self._encoder()))
        return pairs

    @property
    def tasks(self) -> dict[str, PretextHead]:
        """The pretext heads by task."""
        return {name: cast(PretextHead, head) for name, head in self.heads.items()}

    def _check_sources(self) -> None:
        """Fail when the model is built, not in the first step, if a head can't be served."""
        views, targets = self.data_preprocessor.views, self.data_preprocessor.targets
        if not self.heads:
            raise ConfigError('model.heads has no task: name at least one pretext head')
        for key, names in (
            ('encode', self.encode_names),
            ('momentum_encoder.views', self.momentum_views),
        ):
            for view in names:
                if view not in views:
                    raise ConfigError(
                        f'model.{key} names the view {view!r}, but the pipeline makes '
                        f'{list(views)}: add it to model.data_preprocessor.views and to the '
                        'pipeline'
                    )
        for name, other in self.adapter_of.items():
            if other not in self.adapters:
                raise ConfigError(
                    f'model.adapters.{name}={other!r} shares an adapter that is not there; there '
                    f'are {sorted(self.adapters)}'
                )
        features = ('feature_map', 'pooled', *self.adapter_of)
        available = set(self.data_preprocessor.sources)
        available |= {f'{view}.{name}' for view in self.encode_names for name in features}
        available |= {f'{v}.momentum_{name}' for v in self.momentum_views for name in features}
        for name, teacher_views in self.teacher_views.items():
            for view in teacher_views:
                if view not in views:
                    raise ConfigError(
                        f'model.teachers.{name}.views names {view!r}, but the pipeline makes '
                        f'{list(views)}'
                    )
                if f'{view}_{name}' in targets:
                    raise ConfigError(
                        f'the target {view}_{name} comes from both model.teachers.{name} and '
                        'the pipeline: take it out of model.data_preprocessor.targets or drop '
                        'the teacher'
                    )
                available.add(f'{view}_{name}')
        for task, head in self.tasks.items():
            for argument, source in head.reads.items():
                if source not in available:
                    raise ConfigError(
                        f'the head {task!r} reads {source!r} '
                        f'(model.heads.{task}.reads.{argument}), which nothing makes; there are '
                        f'{sorted(available)}: add the view or target to the pipeline and '
                        'model.data_preprocessor, or the adapter to model.adapters'
                    )

    def _check_shared_weights(self) -> None:
        if self.shared_weights is not None:
            shared_weights(self.backbone, self.shared_weights)

    def encode(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The student's map of each encoded view, ``[B, C', T', H', W']``, each encoded once."""
        if not self.encode_together:
            return {
                view: self._feature_map(self.backbone, inputs[view], inputs.get(f'{view}_valid'))
                for view in self.encode_names
            }
        feature_maps: dict[str, Tensor] = {}
        by_shape: dict[torch.Size, list[str]] = OrderedDict()
        for view in self.encode_names:
            by_shape.setdefault(inputs[view].shape, []).append(view)
        for views in by_shape.values():
            masks = [inputs[f'{view}_valid'] for view in views if f'{view}_valid' in inputs]
            valid = torch.cat(masks) if masks else None
            frames = torch.cat([inputs[view] for view in views])
            joint = self._feature_map(self.backbone, frames, valid)
            feature_maps.update(zip(views, joint.chunk(len(views))))
        return feature_maps

    def _feature_map(self, backbone: nn.Module, view: Tensor, valid: Optional[Tensor]) -> Tensor:
        """The last map of a backbone, which is told what is padding if it can make use of it."""
        if getattr(backbone, 'reads_valid', False):
            features = backbone(view, valid)
        elif self.frame_wise:
            features = backbone(view.transpose(1, 2).flatten(0, 1))  # (B*T, C', H', W')
        else:
            features = backbone(view)
        feature_map = features[-1] if isinstance(features, (tuple, list)) else features
        if self.frame_wise:
            feature_map = feature_map.unflatten(0, (len(view), -1)).transpose(
                1, 2
            )  # (B, C', T, H', W')
        return feature_map

    def _pool(self, feature_map: Tensor, valid: Optional[Tensor]) -> Tensor:
        """One feature of each sample, ``[B, D]``."""
        if self.pooling is not None:
            return self.pooling(feature_map, valid)
        if not self.frame_wise or valid is None:
            return feature_map.flatten(2).mean(2)
        frames = feature_map.flatten(3).mean(3)  # (B, C', T)
        weight = valid.to(frames.dtype)[:, None]
        return (frames * weight).sum(2) / weight.sum(2).clamp(min=1)

    def sources(
        self,
        inputs: dict[str, Tensor],
        targets: dict[str, Tensor],
        data_samples: Optional[list] = None,
    ) -> dict[str, Tensor]:
        """Everything that a head may read, by the names that :class:`PretextHead` lists."""
        sources = {**inputs, **targets}
        for view, feature_map in self.encode(inputs).items():
            sources[f'{view}.feature_map'] = feature_map
            valid = sources.get(f'{view}_valid')
            sources[f'{view}.pooled'] = self._pool(feature_map, valid)
            adapted = {name: adapter(feature_map) for name, adapter in self.adapters.items()}
            for name, other in self.adapter_of.items():
                sources[f'{view}.{name}'] = adapted[other]
        wanted = {source for head in self.tasks.values() for source in head.reads.values()}
        for name, views in self.teacher_views.items():
            for view in views:
                # With the heads that read it switched off, a teacher would work for nothing.
                if f'{view}_{name}' in wanted:
                    sources[f'{view}_{name}'] = self._teach(name, view, inputs[view], data_samples)
        for view in self.momentum_views:
            if any(source.startswith(f'{view}.momentum_') for source in wanted):
                sources.update(self._momentum_features(view, sources))
        return sources

    @torch.no_grad()
    def _momentum_features(self, view: str, sources: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the momentum encoder makes of a view, by the names of the sources."""
        momentum = cast(MomentumCopy, self.momentum_encoder)
        if self.training and not momentum.started:
            raise ConfigError(
                "model.momentum_encoder would never move: add dict(type='MomentumCopyHook') to "
                'custom_hooks'
            )
        copy = cast(nn.ModuleDict, momentum.module)
        valid = sources.get(f'{view}_valid')
        feature_map = self._feature_map(copy['backbone'], sources[view], valid)
        features = {'feature_map': feature_map, 'pooled': self._pool(feature_map, valid)}
        adapters = cast(nn.ModuleDict, copy['adapters'])
        adapted = {name: adapter(feature_map) for name, adapter in adapters.items()}
        features.update({name: adapted[other] for name, other in self.adapter_of.items()})
        return {f'{view}.momentum_{name}': value for name, value in features.items()}

    @torch.no_grad()
    def _teach(self, name: str, view: str, frames: Tensor, samples: Optional[list]) -> Tensor:
        """A teacher's target of each frame of a view, ``[B, C, T, H, W] -> [B, T, ...]``.

        One that reads whole clips gives one for each, ``[B, 1, ...]``.
        """
        images = self.data_preprocessor.denormalize(frames).transpose(1, 2)  # (B, T, C, H, W)
        teacher = cast(BaseTeacher, self.teachers[name])
        if teacher.window is not None:
            teacher.check_stride(f'model.teachers.{name}', view, samples)
            return teacher(images)[:, None]
        return teacher(images.flatten(0, 1)).unflatten(0, images.shape[:2])

    def forward(
        self,
        inputs: dict[str, Tensor],
        targets: Optional[dict[str, Tensor]] = None,
        data_samples: Optional[list] = None,
        mode: str = 'tensor',
    ) -> Union[dict[str, Tensor], list[dict[str, dict[str, Tensor]]]]:
        """Run the student and, by mode, the heads.

        Args:
            inputs: View -> normalized frames ``[B, C, T, H, W]``, or skeletons
                ``[B, M, T, V, C]`` with ``'<view>_valid'`` ``[B, M, T]``.
            targets: Name -> ``[B, ...]``.
            data_samples: Tell teachers of clips which frames they get. Nothing else is read, for
                the annotation's labels must not reach pre-training.
            mode: ``'loss'``: ``'loss'`` (to minimize) and ``'<task>/<name>'`` (to log).
                ``'predict'``: for each sample, task -> what its head predicts. ``'tensor'``:
                view -> feature map.
        """
        if mode == 'tensor':
            return self.encode(inputs)
        sources = self.sources(inputs, targets or {}, data_samples)
        reads = {
            task: {argument: sources[source] for argument, source in head.reads.items()}
            for task, head in self.tasks.items()
        }
        if mode == 'predict':
            predictions = {task: head.predict(**reads[task]) for task, head in self.tasks.items()}
            return [
                {
                    task: {name: value[i] for name, value in p.items()}
                    for task, p in predictions.items()
                }
                for i in range(len(inputs[self.encode_names[0]]))
            ]
        if mode != 'loss':
            raise ValueError(f"mode={mode!r}: use 'loss', 'predict' or 'tensor'")

        logs: dict[str, Tensor] = {}
        task_losses: dict[str, Tensor] = {}
        sizes: dict[str, Tensor] = {}
        for task, head in self.tasks.items():
            outputs = head.loss(**reads[task])
            logs.update({f'{task}/{name}': value.detach() for name, value in outputs.items()})
            losses = {name: value for name, value in outputs.items() if 'loss' in name}
            if not losses:
                raise ConfigError(
                    f'the head {task!r} returned {sorted(outputs)}, of which none is a loss: name '
                    "what it minimizes '...loss...', or switch the head off"
                )
            task_losses[task] = torch.stack(list(losses.values())).sum()
            sizes[task] = _size(losses)
        iteration, progress = self._progress()
        if iteration % self.monitor_interval == 0:
            logs.update(self._monitor(sources))
        feature_map = SharedGradients(
            task_losses,
            [sources[f'{view}.feature_map'] for view in self.encode_names],
            self.backbone,
            self.shared_weights,
        )
        # Before the balancer, which may move them for the next step.
        weights = {task: self.balancer.weight(task, progress) for task in task_losses}
        if self.balancer.learns:
            logs.update({f'weight/{task}': torch.as_tensor(w) for task, w in weights.items()})
        loss = self.balancer(task_losses, progress, feature_map, sizes)
        if self.loss_observer is not None:
            self.loss_observer(feature_map, weights)
        return dict(loss=loss, **logs)

    @staticmethod
    def _progress() -> tuple[int, float]:
        """The runner's iteration and its share of the whole training."""
        hub = MessageHub.get_current_instance()
        iteration = hub.get_info('iter', 0)
        return iteration, iteration / max(hub.get_info('max_iters', 1), 1)

    @torch.no_grad()
    def _monitor(self, sources: dict[str, Tensor]) -> dict[str, Tensor]:
        statistics = {}
        for view in self.encode_names:
            pooled_by_name = {'feature_map': sources[f'{view}.pooled']}
            for name in self.adapters:
                pooled_by_name[name] = sources[f'{view}.{name}'].flatten(2).mean(2)
            for name, pooled in pooled_by_name.items():
                statistics[f'{view}.{name}/deviation'] = feature_std(pooled)
                statistics[f'{view}.{name}/effective_rank'] = effective_rank(pooled)
        return statistics

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The balanced loss, and all numbers for the log (mmengine sums all "loss" names)."""
        return losses['loss'], OrderedDict(losses)


def _size(losses: Mapping[str, Tensor]) -> Tensor:
    """How far a task is: its losses without adversarial ones, if it has others; no gradient."""
    adversarial = ('generator', 'discriminator')
    plain = [v for name, v in losses.items() if not any(side in name for side in adversarial)]
    return torch.stack(plain or list(losses.values())).sum().detach()


def _build_all(configs: Optional[Mapping[str, Optional[dict]]]) -> dict[str, nn.Module]:
    """Build what is configured; None switches an inherited entry off."""
    chosen = {name: config for name, config in (configs or {}).items() if config is not None}
    return {name: MODELS.build(config) for name, config in chosen.items()}
