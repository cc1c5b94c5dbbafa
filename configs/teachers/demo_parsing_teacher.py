"""The demo world's parsing teacher, with the weights that training demo_parsing.py leaves.

python tools/train.py configs/teachers/demo_parsing.py
python tools/extract_targets.py configs/teachers/demo_parsing_teacher.py --data data/demo
"""

teacher = dict(
    type='MMSegTeacher',
    config='{{ fileDirname }}/demo_parsing.py',
    checkpoint='work_dirs/demo_parsing/epoch_16.pth',
    input_size=112,
    map_size=28,
    label_map='{{ fileDirname }}/label_maps/lip_to_demo_parts.json',
    batch_size=16,
)
