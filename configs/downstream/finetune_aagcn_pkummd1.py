_base_ = ['linear_aagcn_pkummd1.py', '../_base_/schedules/finetune_skeleton.py']
