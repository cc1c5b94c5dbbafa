_base_ = ['linear_r3d18-small.py', '../_base_/schedules/finetune_small.py']
