"""A head's inputs with another clip's features, to test whether a task depends on the student."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

# Suffix of metrics with another clip's features, such as 'pose/error_other_clip'.
OTHER_CLIP = '_other_clip'


def features_of_another_clip(
    sources: Mapping[str, str], inputs: Mapping[str, Tensor], student: Collection[str]
) -> dict[str, Tensor]:
    """Replace the student's features in a head's inputs by those of other clips of the batch.

    For the head's first view, clip i gets the features of clip ``i + B // 2`` (modulo B), because
    neighbors in a list often show the same action or video. For each further view it gets those of
    the clip after that, so that a feature matches neither a target nor another view's feature. In a
    batch that is too small, a view keeps its own features.

    Targets and features of a momentum encoder do not move. ``targets.<view>.valid`` moves only if
    nothing of this view stays, since it then marks the padding of the student's features alone.
    ``targets.<view>.mask`` always moves, since it marks what the student saw. All of this is our
    choice.

    Args:
        sources: Argument -> name of the input, as in ``head.inputs``.
        inputs: Argument -> ``(B, ...)``. A batch of one clip does not change.
        student: Names of all inputs that the student makes.
    """
    of_student = [source for source in sources.values() if source in student]
    shifts: dict[str, int] = {}
    for further, view in enumerate(dict.fromkeys(source.split('.')[0] for source in of_student)):
        moved = {source for source in of_student if source.split('.')[0] == view}
        moved.add(f'targets.{view}.mask')
        valid = f'targets.{view}.valid'
        stays = {*sources.values()} - moved - {valid}
        if not any(source.removeprefix('targets.').split('.')[0] == view for source in stays):
            moved.add(valid)
        shifts |= dict.fromkeys(moved, further)
    return {
        argument: value.roll(-(len(value) // 2 + shifts[source]), 0)
        if (source := sources[argument]) in shifts
        else value
        for argument, value in inputs.items()
    }
