_base_ = ['linear_gru-streams.py', '../_base_/schedules/finetune_gru-streams.py']
