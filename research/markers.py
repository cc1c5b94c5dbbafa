"""Tables of README and docs between their markers, and files that are renewed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from mmact_ssl.errors import ConfigError, DataError
from mmact_ssl.evaluation.results import Result
from research.fewshot_table import make_fewshot_table
from research.gain_table import make_gain_table
from research.paired_table import make_paired_table
from research.tables import make_dependence_table, make_table

MAKERS = dict(
    results=make_table,
    gain=make_gain_table,
    paired=make_paired_table,
    dependence=make_dependence_table,
    fewshot=make_fewshot_table,
)
KINDS = '|'.join(MAKERS)
MARKER = re.compile(
    rf'(?P<open><!-- (?P<kind>{KINDS}):(?P<name>\S+) -->)\n.*?'
    r'(?P<close><!-- /(?P=kind):(?P=name) -->)',
    re.DOTALL,
)
ANY_MARKER = re.compile(rf'<!-- /?({KINDS}):\S+ -->')


def fill(text: str, results: Sequence[Result], file: str = 'text') -> str:
    """Put the tables between the markers ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``.

    The other kinds of :data:`MAKERS` stand between markers of their own, as ``gain:NAME``.
    """
    paired = [match.group(part) for match in MARKER.finditer(text) for part in ('open', 'close')]
    markers = [match.group() for match in ANY_MARKER.finditer(text)]
    single = [marker for marker in markers if marker not in paired]
    if single:
        raise ConfigError(f'{file}: {single[0]} has no partner; tables stand between two markers')

    def table(match: re.Match) -> str:
        made = MAKERS[match['kind']](results, match['name'])
        return f'{match["open"]}\n{made}{match["close"]}'

    return MARKER.sub(table, text)


def renew_file(path: str | os.PathLike, renew: Callable[[str], str], write: bool = True) -> bool:
    """Rewrite a text file, or only compare it without ``write``; return True if it differs."""
    file = Path(path)
    if not file.is_file():
        raise DataError(f'{file}: no such file; give one that holds results')
    text = file.read_text(encoding='utf-8')
    new = renew(text)
    if write and new != text:
        file.write_text(new, encoding='utf-8')
    return new != text


def update_files(
    files: Iterable[str | os.PathLike], results: Sequence[Result], write: bool = True
) -> list[Path]:
    """Renew the tables of Markdown files; return the files that changed."""
    return [
        file
        for file in map(Path, files)
        if renew_file(file, partial(fill, results=results, file=str(file)), write)
    ]
