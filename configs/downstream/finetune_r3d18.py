_base_ = ['linear_r3d18.py', '../_base_/schedules/finetune_r3d18.py']
