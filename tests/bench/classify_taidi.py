"""Accuracy on the published split of citizen messages: `python -m tests.bench.classify_taidi [data
folder]`.

Published on this split: accuracy .914, macro-F1 .912; word TF-IDF with LinearSVC: .931, .925.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from pipelines.classify.measure.public_data import taidi


def data_folder(arguments: list[str]) -> Path:
    """The folder in the arguments, else GRIDSTREAM_DATA, else `shared/data` next to the
    repository.
    """
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(arguments[0] if arguments else os.environ.get("GRIDSTREAM_DATA", shared))


if __name__ == "__main__":
    print(json.dumps(asdict(taidi(data_folder(sys.argv[1:]))), indent=1))
