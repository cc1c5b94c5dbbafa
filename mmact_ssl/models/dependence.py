"""Does a task depend on the student? A head's inputs with the features of another clip."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

# Ends the names of metrics with another clip's features, such as 'pose/error_other_clip'.
OTHER_CLIP = '_other_clip'


def features_of_another_clip(
    sources: Mapping[str, str], inputs: Mapping[str, Tensor], student: Collection[str]
) -> dict[str, Tensor]:
    """The inputs, with another clip's features of the first encoded view that the head reads.

    Clip i of the batch gets what the student made of clip ``i + B // 2``, counted in a circle:
    lists are often sorted by action and source video, so that a clip's neighbor would be much like
    it. Of a head that reads several views the first alone moves, so that what it contrasts no
    longer belongs together. Targets, what a momentum encoder or a teacher made, and masks stay the
    clip's own, but for the mask of a view of which the head reads features alone: there it tells
    which features are padding. All of this is our choice.

    Args:
        sources: Argument -> name of the input, as in ``head.inputs``.
        inputs: Argument -> ``(B, ...)``. Of one clip they come back as they are.
        student: Names of all inputs that the student makes.
    """
    views = [source.split('.')[0] for source in sources.values() if source in student]
    if not views:
        return dict(inputs)
    view, mask = views[0], f'targets.{views[0]}.valid'
    moved = {s for s in sources.values() if s in student and s.split('.')[0] == view}
    others = {*sources.values()} - {mask}
    if not any(source == view or source.startswith(f'targets.{view}.') for source in others):
        moved.add(mask)
    return {
        argument: value.roll(-(len(value) // 2), 0) if sources[argument] in moved else value
        for argument, value in inputs.items()
    }
