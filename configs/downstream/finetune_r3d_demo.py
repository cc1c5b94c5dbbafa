_base_ = ['linear_r3d_demo.py', '../_base_/schedules/finetune_small.py']
