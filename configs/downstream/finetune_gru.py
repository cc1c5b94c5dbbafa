_base_ = ['linear_gru.py', '../_base_/schedules/finetune_gru.py']
