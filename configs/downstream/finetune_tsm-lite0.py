_base_ = ['linear_tsm-lite0.py', '../_base_/schedules/finetune_small.py']
