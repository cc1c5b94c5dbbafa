_base_ = ['linear_r3d_jhmdb.py', '../_base_/schedules/finetune_small.py']
