"""Does a task depend on the student? A head's inputs with the features of another clip."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

# Ends the names of metrics with another clip's features, such as 'pose/error_other_clip'.
OTHER_CLIP = '_other_clip'


def features_of_another_clip(
    sources: Mapping[str, str], inputs: Mapping[str, Tensor], student: Collection[str]
) -> dict[str, Tensor]:
    """The inputs, with other clips' features of all encoded views that the head reads.

    Of its first view clip i of the batch gets what the student made of clip ``i + B // 2``, counted
    in a circle: lists are often sorted by action and source video, so that a clip's neighbor would
    be much like it. Of each further view it gets that of one clip further on, so that neither what
    a head contrasts with a target nor what it contrasts with another view belongs together; in a
    batch that is too small a view keeps its own. Targets, what a momentum encoder or a teacher
    made, and masks stay the clip's own, but for the mask of a view of which the head reads features
    alone: there it tells which features are padding. All of this is our choice.

    Args:
        sources: Argument -> name of the input, as in ``head.inputs``.
        inputs: Argument -> ``(B, ...)``. Of one clip they come back as they are.
        student: Names of all inputs that the student makes.
    """
    made = [source for source in sources.values() if source in student]
    shifts: dict[str, int] = {}
    for further, view in enumerate(dict.fromkeys(source.split('.')[0] for source in made)):
        moved = {source for source in made if source.split('.')[0] == view}
        mask = f'targets.{view}.valid'
        others = {*sources.values()} - {mask}
        if not any(source == view or source.startswith(f'targets.{view}.') for source in others):
            moved.add(mask)
        shifts |= dict.fromkeys(moved, further)
    return {
        argument: value.roll(-(len(value) // 2 + shifts[source]), 0)
        if (source := sources[argument]) in shifts
        else value
        for argument, value in inputs.items()
    }
