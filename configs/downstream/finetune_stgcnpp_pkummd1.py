_base_ = ['linear_stgcnpp_pkummd1.py', '../_base_/schedules/finetune_skeleton.py']
