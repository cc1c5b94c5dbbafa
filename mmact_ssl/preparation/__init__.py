"""Data sets as they are distributed, converted to the folders that the configs read.

A module of this folder that defines ``SETS`` is a data set, or several of one form:

- ``SETS = {name: line of help}``, a literal, because the list of sets is read without importing;
- ``prepare(source, out, ...)``, which converts the data below ``source`` into the folder ``out``
  and returns numbers to print, such as ``{'train': 675, 'test': 253, 'left_out': 0}``; its
  DataErrors name the file at fault and the fix. It may take ``name``, the set's name, and the
  options that sets share, see ``add_shared_options`` in tools/prepare_data.py;
- ``add_arguments(parser)``, only if it has options of its own.
"""
