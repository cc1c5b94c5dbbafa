_base_ = ['linear_r3d_utdmhad.py', '../_base_/schedules/finetune_small.py']
