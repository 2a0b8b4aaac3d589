"""The daily rollup and the marts: rankings, series, rising types and scorecards, built by partition.

Each mart is a folder: `build.sql` computes a partition, `drill.sql` lists the reports behind a row, and `read.sql`, if
there is one, is the query of `read.py`.
"""
