"""MoveNet SinglePose Lightning (Google, Apache-2.0), converted to ONNX: COCO-17 key points.

Put the file at data/teachers/movenet_lightning.onnx, see docs/extend/teacher_entries.md.
"""

teacher = dict(
    type='OnnxPoseTeacher',
    model='{{$MMACT_SSL_DATA:data}}/teachers/movenet_lightning.onnx',
    input_size=192,
)
