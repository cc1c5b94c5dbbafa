"""RTMO-s (arXiv 2312.07526), COCO-17, one stage: finds the persons itself, the best one is kept.

mim download mmpose --config rtmo-s_8xb32-600e_coco-640x640 --dest data/teachers
"""

teacher = dict(
    type='MMPosePoseTeacher',
    config='mmpose::body_2d_keypoint/rtmo/coco/rtmo-s_8xb32-600e_coco-640x640.py',
    checkpoint='{{$MMACT_SSL_DATA:data}}/teachers/rtmo-s_8xb32-600e_coco-640x640-8db55a59_20231211.pth',
    layout='coco17',
    batch_size=8,
    min_person_score=0.1,
)
