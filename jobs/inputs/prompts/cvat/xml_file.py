"""Read an XML file of prompts within bounds on its size and on the memory of its elements. Nothing else parses XML."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from jobs.errors import PromptError

MAX_BYTES = 128 * 2**20
MAX_MEMORY = 2**30  # bytes of its elements in memory: a million masks with 4 attributes each
# Upper bounds of the bytes in memory for each mark: a start or end of an element, and an attribute.
COSTS = {b"<": 500, b"=": 250}
MAX_ATTRIBUTES = 100  # of one element; CVAT's have 12. Four million in one take 2 GB and a minute
MAX_DEPTH = 20  # elements in each other; CVAT's have 9
MAX_TEXT = 10_000  # characters of an element that are kept


@dataclass(slots=True)
class Element:
    """An element of an XML file. Its text is that of itself, without its children's."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all_of(self, tag: str) -> Iterator["Element"]:
        """The children of a tag, in order."""
        return (child for child in self.children if child.tag == tag)

    def find(self, *path: str) -> "Element | None":
        """The first element below this one along a path of tags, or None."""
        found: Element | None = self
        for tag in path:
            found = next(found.all_of(tag), None) if found else None
        return found


class _Builder:
    """Builds elements as the parser meets them."""

    def __init__(self) -> None:
        self._open = [Element("", {})]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise ValueError(f"its elements lie more than {MAX_DEPTH} deep in each other")
        self._open[-1].children.append(element := Element(tag, attributes))
        self._open.append(element)

    def end(self, tag: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if not text.isspace() and len(self._open[-1].text) < MAX_TEXT:
            self._open[-1].text += text

    def close(self) -> Element:
        return self._open[0].children[0]


def read_xml(path: Path) -> Element:
    """The root of an XML file in UTF-8 without a DTD. Raises PromptError, for a file too large before it is parsed."""
    if not path.is_file():
        raise PromptError(f"prompts {path.name} cannot be read: it does not exist, or is no regular file")
    if (num_bytes := path.stat().st_size) > MAX_BYTES:
        raise PromptError(
            f"prompts {path.name} has {num_bytes:,} bytes; legal: up to {MAX_BYTES:,}. Write an XML for each video"
        )
    content = path.read_bytes()
    if (num_bytes := sum(content.count(mark) * cost for mark, cost in COSTS.items())) > MAX_MEMORY:
        raise PromptError(
            f"prompts {path.name} would take {num_bytes:,} bytes of memory; legal: up to {MAX_MEMORY:,}. "
            "Write an XML for each video"
        )
    if any(between.count(b"=") > MAX_ATTRIBUTES for between in content.split(b"<")):
        raise PromptError(f"prompts {path.name}: an element has more than {MAX_ATTRIBUTES} attributes")
    # As text, whose encoding the file cannot declare: in EBCDIC the marks above would be other bytes. A DTD is refused
    # whole, and entities and references to other files with it.
    parser = XMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(content.decode("utf-8-sig"))
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise PromptError(f"prompts {path.name} have a DTD; legal: XML without <!DOCTYPE>") from error
    except (ParseError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise PromptError(f"prompts {path.name} cannot be read as XML: {str(error)[:200]!a}") from error
    return root
