# Fine-tuning, and training from scratch, of encoders of streams: longer and with a higher rate than
# for the published GRU, as chosen by training on one view of NW-UCLA and testing on the other.
_base_ = 'finetune_skeleton.py'

optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=60)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=60)]
