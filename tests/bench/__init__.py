"""Measured side by side with what one would use instead: `python -m tests.bench`.

Each `bench_<name>.py` has a `run(*, smoke: bool) -> Iterable[Row]`; what a row is stands in table.py.
"""
