"""RTMPose-tiny (arXiv 2303.07399), COCO-17, from mmpose's model zoo, downloaded at first use.

The whole frame is the box: for videos of one person. Of several take rtmo-s_coco.py. Any other
top-down model of mmpose works the same way.
"""

teacher = dict(
    type='MMPosePoseTeacher',
    config='mmpose::body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py',
    checkpoint='https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/rtmpose-tiny_simcc-coco_pt-aic-coco_420e-256x192-e613ba3f_20230127.pth',
    layout='coco17',
)
