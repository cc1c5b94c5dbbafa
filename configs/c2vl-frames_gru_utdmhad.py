# C2VL on the skeletons of UTD-MHAD (odd subjects), with the frames of the depth videos as a second
# prompt.
_base_ = ['c2vl_gru_utdmhad.py', '_base_/methods/frames.py']

frames_head = dict(_base_.frames_head, in_channels=768, momentum=_base_.momentum)
model = dict(data_preprocessor=dict(targets=_base_.frames_targets), heads=dict(frames=frames_head))
load_frames = dict(_base_.load_frames, key='videos/{}.mp4')
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, load_frames, *_base_.steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, load_frames, *_base_.steps]))
