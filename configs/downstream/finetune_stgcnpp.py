_base_ = ['linear_stgcnpp.py', '../_base_/schedules/finetune_skeleton.py']
