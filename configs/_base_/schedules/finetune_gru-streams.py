# Fine-tuning, and training from scratch, of the GRUs over streams: longer and faster than that of
# the published GRU, as chosen on labels of one training view of NW-UCLA for the other.
_base_ = 'finetune_skeleton.py'

max_epochs = 60
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=2, end=max_epochs, convert_to_iter_based=True),
]
