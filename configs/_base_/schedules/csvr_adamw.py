# The student learns by AdamW; the discriminators by Adam without momentum, as in TGANv2 (learning
# rate 2e-4, betas 0 and 0.9).
_base_ = 'pretrain_adamw.py'

optim_wrapper = dict(
    constructor='AdversarialOptimWrapperConstructor',
    adversary=dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.0, 0.9))),
)
auto_scale_lr = dict(base_batch_size=128)  # 8 GPUs of 16 samples
