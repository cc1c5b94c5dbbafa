"""R(2+1)D-34 trained on Kinetics-400, from mmaction2's model zoo; 8 frames at stride 8 to (512,).

The video-based action teacher. Its window is the config's; a view that it teaches has to sample
these very frames.
"""

name = 'r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb'
teacher = dict(
    type='MMLabTeacher',
    config=f'mmaction::recognition/r2plus1d/{name}.py',
    checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/r2plus1d/'
    f'{name}/{name}_20220812-47cfe041.pth',
    input_size=224,
    batch_size=4,
)
