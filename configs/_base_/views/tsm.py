# Views of 112x112 for EfficientNet-Lite0 with the temporal shift, on the set of --set or the
# prepared folder of --data: 8 frames, one from each of 8 equal parts of a video.
_base_ = ['{{$MMACT_SSL_SET:../sets/folder.py}}', '../../encoders/tsm-lite0.py', 'video-test.py']

clip = dict(num_frames=8, segments=True)
# Some sets have a camera that stands still, or actions that differ in left and right.
crop = _base_.get('crop', dict(type='mmaction.RandomResizedCrop', area_range=(0.4, 1.0)))
pose_layout, pose_joints = _base_.get('pose_layout', 'coco17'), _base_.get('pose_joints', 17)
flip = dict(type='HorizontalFlip', layout=pose_layout, flip_ratio=_base_.get('flip_ratio', 0.5))
decode = dict(type='DecodeViews', short_side=128)
test_dataloader = dict(dataset=_base_.get('test_set', _base_.train_set))
# A folder of fewer videos gets as many steps as JHMDB's 675, a larger one as many epochs.
num_videos = min(675, _base_.get('own_folder', dict(num_train=675))['num_train'])
