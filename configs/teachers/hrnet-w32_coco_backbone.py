"""The backbone of HRNet-w32 trained on COCO key points, from mmpose's model zoo; a frame to (32,).

What a pose network sees, without the pose.
"""

name = 'td-hm_hrnet-w32_8xb64-210e_coco-256x192'
teacher = dict(
    type='MMLabTeacher',
    config=f'mmpose::body_2d_keypoint/topdown_heatmap/coco/{name}.py',
    checkpoint='https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    f'{name}-81c58e40_20220909.pth',
)
