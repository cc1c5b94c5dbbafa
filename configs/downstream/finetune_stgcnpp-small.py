_base_ = ['linear_stgcnpp-small.py', '../_base_/schedules/finetune_skeleton.py']
