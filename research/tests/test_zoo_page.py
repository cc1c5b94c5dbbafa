"""The table of the published models."""

from __future__ import annotations

from mmact_ssl.apis.publish import card_of, write_model
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.io.student_file import StudentFile
from mmact_ssl.io.zoo import INDEX, add_to_index, read_index
from research.zoo_page import zoo_block
from tests.helpers.students import weights_of, write_student


def test_the_figures_of_the_table_are_of_the_file_on_the_set_that_was_trained_on(
    video_encoder, make_result, tmp_path
):
    saved = StudentFile.read(write_student(tmp_path / 'student.pth', video_encoder))
    encoder = Encoder.load(saved)
    card = card_of(encoder, 'small', trained_on='made, 768 videos', licence='none')
    (tmp_path / INDEX).write_text('{}')
    add_to_index(write_model(weights_of(encoder.backbone), tmp_path, card), 'small')
    sha256 = read_index(tmp_path / INDEX)['small'].sha256
    of_file = dict(dataset='made', checkpoint_hash=sha256)
    results = [
        make_result(0.25, **of_file),
        make_result(0.5, **of_file, label_fraction=0.1),
        make_result(0.1, **{**of_file, 'dataset': 'a'}),
        make_result(0.9, **{**of_file, 'checkpoint_hash': saved.sha256}, protocol='knn'),
    ]
    (row,) = (
        line for line in zoo_block(tmp_path, results).splitlines() if line.startswith('| small |')
    )
    assert '| video, 3 x 8 frames, 64 x 64 pixels |' in row
    assert '| made, 768 videos | none | 25.0 | - | 128 |' in row
