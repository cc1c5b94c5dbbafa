"""Part maps, left and right apart, drawn from the poses of MoveNet Lightning; a frame to 11 parts.

From poses that are cached already, of any teacher or of a sensor, they are drawn without a network:

    python tools/extract_targets.py draw-parts data/jhmdb/targets/pose.lmdb --data data/jhmdb

Another pose teacher takes the place of MoveNet in the first line.
"""

_base_ = 'movenet_lightning.py'

teacher = dict(_delete_=True, type='PosePartsTeacher', pose=_base_.teacher, map_size=64)
