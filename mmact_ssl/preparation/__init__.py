"""Conversion of data sets from their distributed form to the folders that the configs read.

A module of this folder that defines ``SETS`` converts a data set, or several of the same form:

- ``SETS = {name: line of help}``, a literal, because the list of sets is read without importing;
- ``prepare(source, out, ...)`` converts the data below ``source`` into the folder ``out`` and
  returns numbers to print, such as ``{'train': 675, 'test': 253, 'left_out': 0}``. Its DataErrors
  name the faulty file and the fix. Its other arguments become options of the command; ``name`` is
  the set's name;
- ``OPTIONS = {argument: keywords of add_argument}``, for arguments that are not among the shared
  options of tools/prepare_data.py.
"""
