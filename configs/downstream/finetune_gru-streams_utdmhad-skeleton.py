_base_ = ['linear_gru-streams_utdmhad-skeleton.py', '../_base_/schedules/finetune_gru-streams.py']
