# Views of 64x64 for small students of video, on the set of --set or the prepared folder of --data,
# by default on the demo world (synthetic).
_base_ = ['{{$MMACT_SSL_SET:../sets/demo.py}}', 'video-test.py']

# Some sets have a camera that stands still, or actions that differ in left and right.
crop = _base_.get('crop', dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)))
pose_layout, pose_joints = _base_.get('pose_layout', 'coco17'), _base_.get('pose_joints', 17)
flip = dict(type='HorizontalFlip', layout=pose_layout, flip_ratio=_base_.get('flip_ratio', 0.5))
decode = dict(type='DecodeViews', short_side=80)
test_dataloader = dict(dataset=_base_.get('test_set', _base_.train_set))
