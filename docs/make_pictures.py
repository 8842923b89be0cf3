"""Make ``docs/images/*.png`` from a real run of the demo, in this process.

::

    python docs/make_pictures.py [FOLDER]
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tidemill.cli.demo import demo_options, draw_pictures
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.reports.selection import PICTURE, write_selection
from tidemill.selection.table import select_from_table
from tidemill.selection.table_request import selection_request
from tidemill.storage.read_matrix import read_matrix

IMAGES = Path(__file__).parent / "images"


def main(folder: Path) -> None:
    """Run the demo and draw its pictures into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        options = demo_options(Path(temporary))
        summary = extract_here(make_request(options.pop("source"), options.pop("sink"), **options))
        pictures = draw_pictures(summary.to_json(), folder)
        for picture in [*pictures, draw_selection(summary.sink, Path(temporary), folder)]:
            print(picture)


def draw_selection(sink: str, temporary: Path, folder: Path) -> Path:
    """Draw which features of a day say how much warmer the next one is, as in select.md."""
    warmer = read_matrix(sink)["temperature__mean"].diff().shift(-1).dropna().rename("warmer")
    warmer.to_csv(temporary / "warmer.csv")
    request = selection_request(
        {
            "matrix": sink,
            "target": temporary / "warmer.csv",
            "column_target": "warmer",
            "output": temporary / "selection",
        }
    )
    write_selection(request, select_from_table(request))
    return Path(shutil.copy(temporary / "selection" / PICTURE, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
