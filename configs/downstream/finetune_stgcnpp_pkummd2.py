_base_ = ['linear_stgcnpp_pkummd2.py', '../_base_/schedules/finetune_skeleton.py']
