_base_ = ['linear_stgcn.py', '../_base_/schedules/finetune_skeleton.py']
