"""C2VL's configs: sentences are loaded for what reads them, never mirrored, and no label counts."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import torch

from mmact_ssl.engine.config_reading import read_config
from mmact_ssl.io.files import read_annotation
from mmact_ssl.preparation.videos import prepare as prepare_videos
from mmact_ssl.registry import DATASETS
from mmact_ssl.targets.cache import TargetMeta, TargetWriter
from tests.helpers.videos import write_video
from tests.shipped import CONFIGS, TOP_LEVEL, build, load, loaders, step, steps

NAMES = [name for name in TOP_LEVEL if name.startswith('c2vl')]
GRU = 'c2vl_gru.py'
FRAMES = [name for name in NAMES if name.startswith('c2vl-frames')]  # a second prompt


@pytest.mark.parametrize('name', NAMES)
def test_a_sentence_is_read_beside_a_view_that_is_never_mirrored(name: str):
    config = load(name)
    for loader, sentences in ((config.train_dataloader, 'draw'), (config.test_dataloader, 'mean')):
        prompt, *frames = steps(loader.dataset.pipeline, 'LoadTargets')
        assert [part.target for part in frames] == (['frames'] if name in FRAMES else [])
        assert (prompt.get('sentences', 'draw'), prompt.missing) == (sentences, 'mask')
        assert prompt['views'] == ('clip',)
        clip = step(loader, 'MakeSkeletonViews')['views'].clip
        assert not list(steps(clip, 'SkeletonFlip'))
    assert {head.get('alpha_max') for head in config.model.heads.values()} - {None} == {0.5}
    assert build(config).heads['prompts'].alpha_max == 0.5


@pytest.mark.parametrize(
    ('dataset', 'file'),
    [('utdmhad-skeleton', 'a1_s1_t1.mp4'), ('ntu60-xsub', 'S001C002P003R002A013_rgb.avi')],
)
def test_frames_have_the_names_that_videos_get_when_they_are_prepared(dataset, file, tmp_path):
    source = tmp_path / 'rgb'
    source.mkdir()
    write_video(source / file, num_frames=4)
    prepare_videos(source, tmp_path / 'out')
    (listed,), _ = read_annotation(tmp_path / 'out/train.txt', '')
    for loader in loaders(load(f'c2vl-frames_stgcn.py@{dataset}')):
        _, frames = steps(loader.dataset.pipeline, 'LoadTargets')
        assert frames.key.replace('{}', re.sub(r'(_rgb)?\.\w+$', '', file)) == listed


def test_a_resumed_run_is_the_run_that_never_stopped_and_has_no_picture(train, tmp_path):
    from tools import visualize

    changes, half = {'model.heads.prompts.prompt_channels': 16}, str(tmp_path / 'epoch_1.pth')
    straight = train(GRU, **changes)
    resumed = train(GRU, resume=True, load_from=half, **changes)
    pairs = zip(straight.model.state_dict().values(), resumed.model.state_dict().values())
    assert all(torch.equal(one, other) for one, other in pairs)
    straight.cfg.dump(tmp_path / 'config.py')
    with pytest.raises(SystemExit, match=r'no picture of its tasks \(prompts\).*gallery'):
        visualize.main([str(tmp_path / 'config.py'), str(tmp_path)])  # the newest


@pytest.mark.usefixtures('data_of_methods')
def test_the_sentence_drawn_depends_on_seed_and_epoch_alone(made_data):
    config = read_config(str(CONFIGS / GRU), dataset='nwucla').train_dataloader.dataset
    dataset = DATASETS.build(config)

    def drawn(epoch: int, order: list[int]) -> dict[int, list[float]]:
        dataset.set_progress(5, epoch)
        return {i: dataset[i]['targets']['clip']['prompt'][0, :3].tolist() for i in order}

    epochs = [drawn(epoch, list(range(7))) for epoch in range(6)]
    assert drawn(2, [6, 3, 0, 1, 5, 2, 4]) == epochs[2]
    assert len({tuple(epoch[0]) for epoch in epochs}) > 1
    targets = dataset[6]['targets']['clip']
    assert not targets['prompt_valid'] and not targets['prompt'].any()
    assert dataset[0]['targets']['clip']['prompt_valid']
    # Wrong sentences are another cache of the same folder.
    folder = made_data / 'nwucla/targets'
    shutil.copytree(folder / 'prompts.lmdb', folder / 'prompts_shuffled20.lmdb')
    with TargetWriter(folder / 'prompts_shuffled20.lmdb', TargetMeta('text', '', 'f')) as writer:
        writer.put('clip3_v1', np.ones((3, 16), np.float32))
    config.pipeline[0].cache = 'prompts_shuffled20.lmdb'
    shuffled = DATASETS.build(config)
    assert [bool(d[6]['targets']['clip']['prompt_valid']) for d in (dataset, shuffled)] == [0, 1]
