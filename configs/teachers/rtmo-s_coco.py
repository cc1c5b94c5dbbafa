"""RTMO-s (arXiv 2312.07526), COCO-17, one stage: finds the persons itself, the best one is kept.

For videos of several persons. From mmpose's model zoo, downloaded at first use.
"""

teacher = dict(
    type='MMPosePoseTeacher',
    config='mmpose::body_2d_keypoint/rtmo/coco/rtmo-s_8xb32-600e_coco-640x640.py',
    checkpoint='https://download.openmmlab.com/mmpose/v1/projects/rtmo/rtmo-s_8xb32-600e_coco-640x640-8db55a59_20231211.pth',
    layout='coco17',
    batch_size=8,
    min_person_score=0.1,
)
