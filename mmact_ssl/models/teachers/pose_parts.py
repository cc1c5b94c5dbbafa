"""Teacher of part maps without a parsing network: drawn from another teacher's poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mmact_ssl.errors import ConfigError
from mmact_ssl.models.teachers.base import BaseTeacher
from mmact_ssl.models.teachers.part_drawing import PARTS, PartDrawing
from mmact_ssl.models.teachers.preprocessing import pair
from mmact_ssl.registry import MODELS


@MODELS.register_module()
class PosePartsTeacher(BaseTeacher):
    """Teacher of part maps ``(N, C, h, w)``, drawn from the poses of another teacher.

    :func:`mmact_ssl.targets.part_maps.draw_parts` makes the same cache, with the same fingerprint,
    from a cache of the poses.

    Args:
        pose: Config of the teacher of poses, of any layout with shoulders, elbows, wrists, hips,
            knees, ankles and a joint of the face.
        map_size: Side or (h, w) of the maps.
        min_score: See PartDrawing.
    """

    kind = 'map'
    layout = PARTS

    def __init__(
        self,
        pose: Mapping[str, Any],
        map_size: int | Sequence[int] = 64,
        min_score: float = 0.2,
    ) -> None:
        teacher = MODELS.build(dict(pose, _scope_='mmact_ssl'))
        if getattr(teacher, 'kind', None) != 'pose':
            raise ConfigError(f'pose of PosePartsTeacher: {type(teacher).__name__} makes no poses')
        super().__init__({}, {}, batch_size=64)
        self.drawing = PartDrawing(pair(map_size), min_score)
        self.freeze_external(teacher)

    def predict(self, frames: Tensor) -> Tensor:
        """Draw the parts of one person per frame: uint8 ``(N, 3, H, W)`` to ``(N, C, h, w)``."""
        aspect = frames.shape[3] / frames.shape[2]
        return self.drawing(self.frozen(frames), self.frozen.layout, aspect)

    def fingerprint(self) -> str:
        """Hash (sha256, hex) of the drawing's settings and the teacher of poses."""
        return self.drawing.fingerprint(self.frozen.fingerprint())

    @property
    def source(self) -> str:
        """Description of the teacher for people."""
        return f'{type(self).__name__} of {self.frozen.source}'
