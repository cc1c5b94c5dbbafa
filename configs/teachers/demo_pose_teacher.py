"""The demo world's pose teacher, with the weights that come with the package (fp16, 1.7 MB).

``configs/teachers/demo_pose.py`` trains it; docs/extend/demo_world.md says how these weights
were made.
"""

teacher = dict(
    type='MMPosePoseTeacher',
    config='{{ fileDirname }}/demo_pose.py',
    checkpoint='{{ fileDirname }}/weights/demo_pose.pth',
    layout='coco17',
    batch_size=16,
)
