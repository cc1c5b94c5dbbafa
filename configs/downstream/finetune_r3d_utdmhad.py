_base_ = ['linear_r3d_utdmhad.py', '../_base_/schedules/finetune_small.py']

# With a tenth of the labels, 8 iterations an epoch leave the classifier half trained here.
finetune = dict(min_iters_per_epoch=24)
