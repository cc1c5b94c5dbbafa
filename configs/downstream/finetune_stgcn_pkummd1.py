_base_ = ['linear_stgcn_pkummd1.py', '../_base_/schedules/finetune_skeleton.py']
