"""Sentences about clips: their files, and sources that make them without reading a label."""

from .class_texts import read_class_texts
from .sentence_file import match_clips, read_sentences, shuffle_sentences, write_sentences

__all__ = [
    'match_clips',
    'read_class_texts',
    'read_sentences',
    'shuffle_sentences',
    'write_sentences',
]
