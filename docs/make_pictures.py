"""Make ``docs/images/*.png`` from a real run of the demo, in this process.

::

    python docs/make_pictures.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

from tidemill.cli.demo import demo_options, draw_pictures
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request

IMAGES = Path(__file__).parent / "images"


def main(folder: Path) -> None:
    """Run the demo and draw its pictures into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        options = demo_options(Path(temporary))
        summary = extract_here(make_request(options.pop("source"), options.pop("sink"), **options))
        for picture in draw_pictures(summary.to_json(), folder):
            print(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
