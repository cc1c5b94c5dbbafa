"""MoveNet SinglePose Thunder (Google, Apache-2.0), converted to ONNX: COCO-17 key points.

Put the file at data/teachers/movenet_thunder.onnx, see docs/extend/teacher_entries.md.
"""

_base_ = 'movenet_lightning.py'

teacher = dict(
    model='{{$MMACT_SSL_DATA:data}}/teachers/movenet_thunder.onnx',
    input_size=256,
)
