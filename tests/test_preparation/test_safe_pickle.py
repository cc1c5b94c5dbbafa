"""Reading pickles as data: everything plain comes back, and nothing runs."""

from __future__ import annotations

import collections
import os
import pickle
import re
import subprocess
from functools import partial

import numpy as np
import pytest

from mmact_ssl.errors import DataError
from mmact_ssl.preparation.safe_pickle import load_plain_pickle

PLAIN = {
    'floats': np.arange(24, dtype=np.float16).reshape(2, 3, 4) / 7,
    'fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    'big endian': np.arange(3, dtype='>i4'),
    'names': np.array(['a', 'längere']),
    'empty': np.zeros((0, 17, 2), np.float32),
    'scalar': np.float32(0.5),
    'shape': (np.int64(1080), 1920),
    'nested': [{'a': {1, 2}, 'b': frozenset((3,)), 'c': b'bytes', 'd': None, 'e': 1e9, 'f': True}],
    'ordered': collections.OrderedDict(x=1),
}


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_contents_come_back(tmp_path, protocol):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(PLAIN, protocol=protocol))
    content = load_plain_pickle(path)
    assert content.keys() == PLAIN.keys()
    for key, expected in PLAIN.items():
        if isinstance(expected, np.ndarray):
            # The byte order may become the machine's own, as numpy itself does.
            assert content[key].dtype.newbyteorder('=') == expected.dtype.newbyteorder('=')
            np.testing.assert_array_equal(content[key], expected)
        else:
            assert content[key] == expected


@pytest.mark.parametrize('name', [b'numpy.core.multiarray', b'numpy._core.multiarray'])
def test_the_names_of_numpy_1_and_2_are_known(tmp_path, name):
    data, renamed = re.subn(rb'numpy\._?core\.multiarray', name, pickle.dumps(np.arange(3), 2))
    assert renamed
    (tmp_path / 'a.pkl').write_bytes(data)
    assert load_plain_pickle(tmp_path / 'a.pkl').tolist() == [0, 1, 2]


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def refused(tmp_path, content, message, protocol=4):
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol)
    (tmp_path / 'bad.pkl').write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        load_plain_pickle(tmp_path / 'bad.pkl')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_is_refused_before_anything_runs(tmp_path, protocol):
    mark = tmp_path / 'ran'
    for call in (
        Call(os.system, f'touch {mark}'),
        Call(subprocess.getoutput, f'touch {mark}'),
        Call(eval, f'open({str(mark)!r}, "w")'),
        Call(getattr, 'text', 'join'),
        Call(partial, os.system, f'touch {mark}'),
        Call(__import__, 'antigravity'),
        Call(np.load, str(mark)),
        Call(np.memmap, str(mark), 'u1', 'w+', 0, (1,)),
    ):
        # Behind contents that are plain.
        data = pickle.dumps({'annotations': [PLAIN, call]}, protocol=protocol)
        refused(tmp_path, data, 'refused, it holds .*could run code')
    assert not mark.exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (np.array([{}, []], dtype=object), 'an array of dtype object'),
        (np.zeros(2, dtype=[('x', 'f4')]), 'an array of dtype'),
        (np.zeros(2, dtype='M8[s]'), 'an array of dtype datetime64'),
        (Call(np.ndarray, (4,), 'f4'), 'a call of numpy.ndarray'),
        (Call(np.dtype, np.float32), 'numpy.float32'),
        (Call(__import__('codecs').encode, 'a', 'rot13'), "text in the encoding 'rot13'"),
        (DataError('x'), 'mmact_ssl.errors.DataError'),
    ],
)
def test_what_is_not_plain_is_refused(tmp_path, content, message):
    refused(tmp_path, content, f'refused, it holds {message}')


def test_an_array_cannot_claim_more_than_it_has(tmp_path):
    data = pickle.dumps(np.arange(3, dtype=np.int64), protocol=2)
    assert data.count(b'K\x03\x85') == 1  # its shape, (3,)
    refused(tmp_path, data.replace(b'K\x03\x85', b'K\x7f\x85'), 'not a whole pickle .*reshape')


@pytest.mark.parametrize('data', [b'', b'hello', pickle.dumps(PLAIN)[:-300]])
def test_what_is_no_pickle_is_an_error_too(tmp_path, data):
    refused(tmp_path, data, 'bad.pkl: not a whole pickle')
