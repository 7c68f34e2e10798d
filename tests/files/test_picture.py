"""Pictures scale, have a title, and are the same bytes each time."""

import re
import xml.etree.ElementTree as ET

from matplotlib.figure import Figure

from edgekws.files.picture import write_svg


def drawn(path):
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2], [3, 4])
    write_svg(figure, path, "Loss <by> epoch & more")
    return path.read_text()


def test_a_picture_scales_and_names_itself(tmp_path):
    text = drawn(tmp_path / "a.svg")
    root = ET.fromstring(text)
    assert "width" not in root.attrib and "height" not in root.attrib and root.attrib["viewBox"]
    assert root.attrib["role"] == "img" and root[0].tag.endswith("title") and root[0].text == "Loss <by> epoch & more"
    assert re.search(r"fill: #ffffff", text), "the background should be white, also on a dark page"
    assert text == drawn(tmp_path / "b.svg")
