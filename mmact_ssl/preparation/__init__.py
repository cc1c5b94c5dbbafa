"""Data sets as they are distributed, converted to the folders that the configs read.

A module of this folder that defines ``SETS`` is a data set, or several of one form:

- ``SETS = {name: line of help}``, a literal, because the list of sets is read without importing;
- ``prepare(source, out, ...)``, which converts the data below ``source`` into the folder ``out``
  and returns numbers to print, such as ``{'train': 675, 'test': 253, 'left_out': 0}``; its
  DataErrors name the file at fault and the fix. Its other arguments become options of the command;
  ``name`` is the set's name;
- ``OPTIONS = {argument: keywords of add_argument}``, only for those that are not among the shared
  ones in tools/prepare_data.py.
"""
