# SPDX-License-Identifier: Apache-2.0
"""Sentences about clips: their file, and the sources that make them without reading a label."""

from .sentence_file import MatchedSentences, match_clips, read_sentences, write_sentences

__all__ = ['MatchedSentences', 'match_clips', 'read_sentences', 'write_sentences']
