"""RTMPose-tiny (arXiv 2303.07399), COCO-17, from mmpose's model zoo; the whole frame is the box.

    mim download mmpose --config rtmpose-t_8xb256-420e_coco-256x192 --dest data/teachers

Any other top-down model of mmpose works the same way.
"""

teacher = dict(
    type='MMPosePoseTeacher',
    config='mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py',
    checkpoint='{{$MMACT_SSL_DATA:data}}/teachers/rtmpose-tiny_simcc-coco_pt-aic-coco_420e-256x192-e613ba3f_20230127.pth',
    layout='coco17',
)
