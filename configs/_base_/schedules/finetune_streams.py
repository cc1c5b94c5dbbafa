# Fine-tuning, and training from scratch, of encoders of streams: longer and faster than that of
# the published GRU, as chosen on labels of one training view of NW-UCLA for the other.
_base_ = 'finetune_skeleton.py'

optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=60)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=60)]
