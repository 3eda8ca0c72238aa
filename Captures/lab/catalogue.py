"""The list of scenarios, and the page that tells what each recorded bundle teaches."""

import json

FAMILIES = {
    "clean": "Ordinary networks: nothing may be found",
    "translation": "Translation: local VLAN ↔ VNI",
    "isolation": "Isolation: nothing where it does not belong",
    "learning": "Learning: flooding until learned, unicast after",
    "delivery": "Delivery: lost, duplicated and changed frames",
    "encapsulation": "Encapsulation and the underlay",
    "installed": "Installed state, with or without packets",
    "capture": "Captures: what they hide, and what they cannot show",
}


def listing(scenarios):
    width = max(len(name) for name in scenarios)
    lines = []
    for family in FAMILIES:
        chosen = [known for known in scenarios.values() if known.family == family]
        if chosen:
            lines.append(f"{family}: {FAMILIES[family]}")
            lines += [f"  {known.name:{width}}  {known.kind:5}  {known.teaches}" for known in chosen]
    return "\n".join(lines) + "\n"


def verdict(directory):
    path = directory / "expect.yaml"
    if not path.exists():
        return ""
    for line in path.read_text().splitlines():
        if line.startswith("verdict:"):
            return line.split(":", 1)[1].strip()
    return ""


def table(rows):
    lines = ["| bundle | teaches | verdict |", "|---|---|---|"]
    return lines + [f"| [{name}]({link}) | {teaches} | {result} |" for name, link, teaches, result in rows]


def page(_scenarios, root):
    """Markdown that lists the bundles below a directory, from what their truth.json says."""
    found = {}
    for path in sorted(root.glob("**/truth.json")):
        told = json.loads(path.read_text())
        relative = path.parent.relative_to(root)
        family = relative.parts[0] if len(relative.parts) > 1 else ""
        teaches = told.get("teaches") or ""
        if told.get("rule") and told["kind"] != "clean":
            teaches += f" ({'raises' if told['kind'] == 'fault' else 'close to, and not'} `{told['rule']}`)"
        found.setdefault(family, []).append((relative.name, relative, teaches, verdict(path.parent)))
    lines = []
    for family, title in FAMILIES.items():
        if family in found:
            lines += [f"## {title}", "", *table(found[family]), ""]
    return "\n".join(lines)
