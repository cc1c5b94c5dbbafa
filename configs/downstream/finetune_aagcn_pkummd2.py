_base_ = ['linear_aagcn_pkummd2.py', '../_base_/schedules/finetune_skeleton.py']
