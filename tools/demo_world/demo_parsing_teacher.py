"""The demo world's parsing teacher, with the weights that training demo_parsing.py leaves.

mmact-ssl train tools/demo_world/demo_parsing.py
mmact-ssl extract tools/demo_world/demo_parsing_teacher.py --data data/demo
"""

teacher = dict(
    type='MMSegTeacher',
    config='{{ fileDirname }}/demo_parsing.py',
    checkpoint='work_dirs/demo_parsing/epoch_16.pth',
    input_size=112,
    map_size=28,
    # LIP's classes of each part.
    parts=dict(
        background=[0],
        hair=[2, 1],
        upper_clothes=[5, 6, 7, 10, 11, 12],
        face=[13, 4],
        left_arm=[14],
        right_arm=[15],
        left_leg=[16],
        right_leg=[17],
        left_shoe=[18],
        right_shoe=[19],
    ),
    layout='demo_parts',
    batch_size=16,
)
