"""F1 of "perfunctory or false" on real hazard reports: `python -m tests.bench.classify_sodic [data
folder]`.

For comparison: TF-IDF with LinearSVC on such folds, which keep identical texts together: .672.
"""

import json
import sys
from dataclasses import asdict

from pipelines.classify.measure.public_data import sodic
from tests.bench.classify_taidi import data_folder

if __name__ == "__main__":
    print(json.dumps(asdict(sodic(data_folder(sys.argv[1:]))), indent=1))
