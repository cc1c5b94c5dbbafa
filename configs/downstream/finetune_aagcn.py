_base_ = ['linear_aagcn.py', '../_base_/schedules/finetune_skeleton.py']
