"""Makes the parts of the site that are written elsewhere: the pages of the rules, their index, and the settings.

- The pages of the rules are `codemods/*/AF*.md`. Their ❌ and ✅ blocks get a title and the changed lines a colour.
- The index takes the mistake and its fix from the table of README.md.
- Which settings there are, and which comments for other tools count, comes from `docs/asyncfix.schema.json` and the rules' code.
- The address of the site and of the repository are `homepage` and `repository` of `[workspace.package]` in Cargo.toml.

Whether a rule's fixes are safe is told by its page: the kinds of its ✅ blocks, and whether it has the section
"When a fix is unsafe". Only the titles of the pitfalls stand here.
"""

import difflib
import json
import re
import tomllib
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
log = get_plugin_logger("asyncfix")

# By the first digit of the code: the name of a pitfall, and the mistake in a sentence.
PITFALLS = {
    "1": ("Forgetting await", "Calling a coroutine function runs nothing: somebody has to await the coroutine."),
    "2": ("Blocking the event loop", "While a blocking call waits, no other task of the program runs."),
    "3": ("Not handling cancellation", "A task that is cancelled has to clean up, and to let the cancellation through."),
    "4": ("Mixing sync and async code", "`await` needs an `async def`, and an `async def` needs an event loop that runs it."),
    "5": ("Creating too many tasks", "A task for each of ten thousand items opens ten thousand connections."),
    "6": ("Not using context managers", "What is closed manually stays open when an exception comes first."),
    "7": ("Ignoring exceptions in gather()", "When one awaitable fails, nothing waits for the others."),
    "8": ("Not awaiting tasks", "A task that nothing refers to may vanish before it is done."),
    "0": ("Comments of asyncfix", "Comments that turn a rule off and are of no use."),
}

BLOCK = re.compile(r"^(?P<mark>[❌✅])(?P<note>[^\n]*)\n\n```python\n(?P<code>.*?)^```\n", re.MULTILINE | re.DOTALL)
NOT_FIXED = re.compile(r"^❌ not fixed: (?P<reason>.+)\n", re.MULTILINE)
CODE = re.compile(r"\bAF\d{3}\b")


class Rule:
    """A rule, as its page tells it."""

    def __init__(self, path: Path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.code, self.name = self.text.splitlines()[0].removeprefix("# ").split()

    @property
    def marks(self) -> list[str]:
        return [found["mark"] + found["note"].strip() for found in BLOCK.finditer(self.text)]

    @property
    def has_fix(self) -> bool:
        return "✅" in self.marks or "✅unsafe" in self.marks

    @property
    def status(self) -> str:
        unsafe = self.section("When a fix is unsafe")
        if not self.has_fix:
            return "report only"
        if unsafe.startswith("Always"):
            return "always unsafe"
        return "safe, sometimes unsafe" if unsafe else "safe"

    @property
    def is_off(self) -> bool:
        return "This rule is off unless it is selected" in self.text

    def section(self, title: str) -> str:
        found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", self.text, re.MULTILINE | re.DOTALL)
        return found[1].strip() if found else ""


def rules() -> list[Rule]:
    return sorted(map(Rule, ROOT.glob("codemods/*/AF*.md")), key=lambda rule: rule.code)


def cargo() -> dict:
    with (ROOT / "Cargo.toml").open("rb") as file:
        return tomllib.load(file)["workspace"]["package"]


# The configuration of the site.


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    package = cargo()
    config.site_url = config.site_url or package.get("homepage")
    config.repo_url = config.repo_url or package.get("repository")
    config.extra["version"] = package["version"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for found in re.findall(r"(?:asyncfix-cli==|asyncfix@v)([\w.]+)", readme):
        if found != package["version"]:
            log.warning("README.md names version %s", found)
    for item in config.nav:
        if isinstance(item, dict) and "Rules" in item:
            item["Rules"] = ["rules/index.md", *rules_in_nav()]
    return config


def rules_in_nav() -> list[dict]:
    groups: dict[str, list] = {}
    for rule in rules():
        groups.setdefault(rule.code[2], []).append({f"{rule.code} {rule.name}": f"rules/{rule.code}.md"})
    return [{title(digit): pages} for digit, pages in in_order(groups)]


def in_order(groups: dict[str, list]) -> list[tuple[str, list]]:
    """The groups by pitfall, and what is about no pitfall at the end."""
    return sorted(groups.items(), key=lambda group: group[0].replace("0", "9"))


def title(digit: str) -> str:
    if digit not in PITFALLS:
        log.warning("the rules AF%s have no title in docs/hooks.py", digit)
        return f"AF{digit}"
    return PITFALLS[digit][0]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for rule in rules():
        files.append(File.generated(config, f"rules/{rule.code}.md", content=page_of(rule)))
    content = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=content))
    return files


# The pages of the rules.

STATUS = {
    "safe": "Its fix is applied by `--write`.",
    "safe, sometimes unsafe": "Its fix is applied by `--write`; where it is unsafe, with `--unsafe-fixes` only.",
    "always unsafe": "Its fix is applied with `--unsafe-fixes` only.",
    "report only": "It reports, and has no fix.",
}


def page_of(rule: Rule) -> str:
    """A rule's page with its pitfall, its status, and blocks that show what changes."""
    first, rest = rule.text.split("\n", 1)
    digit = rule.code[2]
    off = " The rule is off unless it is selected." if rule.is_off else ""
    head = (
        f"---\ntitle: {rule.code} {rule.name}\n---\n\n{first}\n\n"
        f"[{title(digit)}](index.md#{anchor(title(digit))}){{ .af-pitfall }} · {STATUS[rule.status]}{off}\n"
    )
    return linked(head + blocks_of(rest), rule.code)


def blocks_of(text: str) -> str:
    """The text with titles on its ❌ and ✅ blocks, and with the lines marked that differ between the two."""
    found = list(BLOCK.finditer(text))
    pieces = []
    end = 0
    for number, block in enumerate(found):
        pieces.append(text[end : block.start()])
        end = block.end()
        note = block["note"].strip()
        code = block["code"]
        following = found[number + 1] if number + 1 < len(found) else None
        before = found[number - 1] if number else None
        if block["mark"] == "❌":
            fixed = following if following and following["mark"] == "✅" and "unchanged" not in following["note"] else None
            lines = changed(code, fixed["code"])[0] if fixed else []
            pieces.append(fence("❌ Before" if fixed else "❌ Reported", "af-before", lines, code))
        elif note == "unchanged":
            pieces.append(fence("✅ Left as it is", "af-same", [], code))
        else:
            lines = changed(before["code"], code)[1] if before and before["mark"] == "❌" else []
            pieces.append(fence("✅ After, with --unsafe-fixes" if note == "unsafe" else "✅ After", "af-after", lines, code))
    pieces.append(text[end:])
    return NOT_FIXED.sub(r"*Not fixed: \g<reason>.*\n", "".join(pieces))


def changed(before: str, after: str) -> tuple[list[int], list[int]]:
    """The numbers of the lines that differ, on both sides."""
    old, new = before.splitlines(), after.splitlines()
    left: list[int] = []
    right: list[int] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            left += (number + 1 for number in range(a, b) if old[number].strip())
            right += (number + 1 for number in range(c, d) if new[number].strip())
    return left, right


def fence(name: str, kind: str, lines: list[int], code: str) -> str:
    marked = f' hl_lines="{" ".join(map(str, lines))}"' if lines else ""
    return f'``` {{ .python .{kind} title="{name}"{marked} }}\n{code}```\n'


def linked(text: str, own: str) -> str:
    """The text with links where it names another rule, outside of code and headings."""
    known = {rule.code for rule in rules()}

    def link(found: re.Match) -> str:
        code = found[0]
        return f"[{code}]({code}.md)" if code in known and code != own else code

    pieces = re.split(r"(^```.*?^```$|^#.*$|^---\n.*?^---$|`[^`\n]+`|\[[^\]]*\]\([^)]*\))", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(piece if number % 2 else CODE.sub(link, piece) for number, piece in enumerate(pieces))


def anchor(text: str) -> str:
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text.lower())).strip("-")


# What other pages take from elsewhere.


def on_page_markdown(markdown: str, page, config: MkDocsConfig, files: Files) -> str:
    name = page.file.src_uri
    for marker, make in MADE.items():
        if f"<!-- {marker} -->" in markdown:
            markdown = markdown.replace(f"<!-- {marker} -->", make())
    markdown = markdown.replace("{{ version }}", config.extra["version"])
    repository = (config.repo_url or "").removesuffix("/").removeprefix("https://github.com/")
    markdown = markdown.replace("{{ repository }}", repository or "OWNER/asyncfix")
    if name.endswith(".md") and not name.startswith("rules/AF"):
        # What the checker of the outputs reads is not for people.
        markdown = re.sub(r"^ *<!-- (run|file|fresh|do: .+?|output of: .+?) -->\n", "", markdown, flags=re.MULTILINE)
    return markdown


def index_of_rules() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(AF\d{3})` [\w-]+ \| (.+ \| .+) \|$", readme, re.MULTILINE))
    groups: dict[str, list[Rule]] = {}
    for rule in rules():
        groups.setdefault(rule.code[2], []).append(rule)
    lines = []
    for digit, group in in_order(groups):
        lines += [f"## {title(digit)}", "", PITFALLS.get(digit, ("", ""))[1], ""]
        lines += ["| Rule | Mistake | What is written | Fix |", "|---|---|---|---|"]
        for rule in group:
            if rule.code not in rows:
                log.warning("%s is missing in the table of README.md", rule.code)
            off = "; off by default" if rule.is_off else ""
            lines.append(
                f"| [{rule.code}]({rule.code}.md) {rule.name} | {rows.get(rule.code, ' | ')} | {rule.status}{off} |"
            )
        lines.append("")
    return "\n".join(lines)


def equivalents() -> str:
    """The codes of other tools whose comments count, by rule, as the rules' code lists them."""
    known: dict[str, list[str]] = {}
    for path in ROOT.glob("codemods/**/*.rs"):
        text = path.read_text(encoding="utf-8")
        for code, listed in re.findall(r'code: "(AF\d{3})",.*?equivalents: &\[(.*?)\]', text, re.DOTALL):
            known[code] = re.findall(r'"([^"]+)"', listed)
    if set(known) != {rule.code for rule in rules()}:
        log.warning("the codes of other tools cannot be read from the rules' code: see `equivalents` in docs/hooks.py")
    lines = ["| Rule | Codes and names that count as well |", "|---|---|"]
    for code, others in sorted(known.items()):
        if others:
            lines.append(f"| [{code}](rules/{code}.md) | {', '.join(f'`{other}`' for other in others)} |")
    return "\n".join(lines)


# The reference of the settings.


def settings() -> str:
    schema = json.loads((ROOT / "docs/asyncfix.schema.json").read_text(encoding="utf-8"))
    return "\n".join(of_table(schema, schema, ""))


def of_table(schema: dict, whole: dict, prefix: str) -> list[str]:
    """The settings of one table: first its values, then its tables."""
    lines = []
    properties = {key: resolved(value, whole) for key, value in schema.get("properties", {}).items()}
    for key, value in properties.items():
        if not value.get("properties") and not key.startswith("$"):
            lines += of_value(prefix + key, value, whole)
    for key, value in properties.items():
        if value.get("properties"):
            lines += [f"### `{prefix}{key}` {{ #{prefix}{key} }}", "", value.get("description", ""), ""]
            lines += rest_of_table(value, whole, prefix + key)
            lines += of_table(value, whole, f"{prefix}{key}.")
    return lines


def of_value(name: str, value: dict, whole: dict) -> list[str]:
    level = "####" if "." in name else "###"
    facts = [f"Type: {type_of(value, whole)}"]
    if "default" in value:
        facts.append(f"Default: `{toml(value['default'])}`")
    lines = [f"{level} `{name}` {{ #{name} }}", "", value.get("description", ""), "", " · ".join(facts), ""]
    for example in value.get("examples", []):
        lines += ["```toml title=\"Example\"", f"{name} = {toml(example)}", "```", ""]
    return lines


def rest_of_table(value: dict, whole: dict, name: str) -> list[str]:
    """What other keys of a table may be."""
    others = value.get("additionalProperties")
    if not isinstance(others, dict):
        return []
    return [f"Other keys: {type_of(others, whole)}", ""]


def resolved(value: dict, whole: dict) -> dict:
    """A schema with its reference into the same document followed."""
    reference = value.get("$ref")
    if reference is None:
        return value
    found = whole
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return resolved(found, whole) | {key: other for key, other in value.items() if key != "$ref"}


def type_of(value: dict, whole: dict, is_plural: bool = False) -> str:
    # A definition says what it is for by its name; what it lists is too long to be read.
    if value.get("$ref", "").endswith("/rule"):
        return "rules (codes, prefixes, names)" if is_plural else "rule (code, prefix, name)"
    value = resolved(value, whole)
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(dict.fromkeys(type_of(one, whole) for one in value[key]))
    if "enum" in value:
        return ", ".join(f"`{toml(one)}`" for one in value["enum"])
    if "const" in value:
        return f"`{toml(value['const'])}`"
    kind = value.get("type", "any value")
    if isinstance(kind, list):
        return " or ".join(type_of(value | {"type": one}, whole) for one in kind)
    if kind == "array":
        return f"list of {type_of(value.get('items', {}), whole, is_plural=True)}"
    if kind == "object" and value.get("properties"):
        inside = (f"`{key}` ({type_of(one, whole)})" for key, one in value["properties"].items())
        return f"table with {', '.join(inside)}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"table, each value a {type_of(value['additionalProperties'], whole)}"
    words = {"object": "table", "boolean": "`true` or `false`"}
    return words.get(kind, kind) + ("s" if is_plural and kind not in words else "")


def toml(value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


MADE = {"rules": index_of_rules, "equivalents": equivalents, "settings": settings}
