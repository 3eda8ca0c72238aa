"""The list of scenarios, and the page that tells what each recorded bundle teaches."""

import json
import re

FAMILIES = {
    "": "Three hosts, one or two networks",
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


def expected(directory):
    """The verdict of an expect.yaml, and the first line of its comment."""
    path = directory / "expect.yaml"
    verdict, comment = "", ""
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("#") and not comment:
            comment = line.removeprefix("#").strip().rstrip(".")
        if line.startswith("verdict:"):
            verdict = line.split(":", 1)[1].strip()
    return verdict, comment


def table(rows):
    lines = ["| bundle | teaches | verdict |", "|---|---|---|"]
    return lines + [f"| [{name}]({link}) | {teaches} | {result} |" for name, link, teaches, result in rows]


PREFACE = """# Recorded overlays

Every frame here was really sent by a guest, switched by Open vSwitch (userspace datapath, 3.1.0) and recorded by tcpdump
or dumpcap. Each bundle has

- `truth.json`: what was really built, sent and broken, by the recorder's own knowledge: hosts and VTEPs, networks with
  VNI and local VLANs, guests, captures with their counts, traffic and how it went, the fault with the flows changed;
- `expect.yaml`: what `lanecheck test` must find. `lanecheck test Captures` runs them all.

Names, addresses, MACs, VNIs and VLANs are drawn from a seed; nothing may be tuned to them. The bundles differ in what
was collected, as those of real deployments do: dumps in several spellings, with and without `after/`, taps or qvos or
both.

## Record your own

    sudo Captures/lab/record clean-vxlan --output /tmp/bundles
    lanecheck verify /tmp/bundles/clean-vxlan

`record --list` tells all scenarios; the bundles below are made by them, except the first group. `--seed N` draws other
names and numbers, `--hosts N` adds hosts. It needs root, Linux network namespaces, Python 3, iproute2, ethtool, ping,
tcpdump and Open vSwitch (`Scripts/setup --tests` installs them), and runs with whatever Open vSwitch is on the `PATH`;
`OVS_PKGDATADIR` says where that one's `vswitch.ovsschema` is. All traffic stays inside the namespaces, which are removed
at the end, also when it is interrupted; `record --clean` removes what a killed recorder left. A scenario is one function
in `lab/scenarios_*.py`.

Offloads are off and the datapath is in user space: captures of a kernel datapath with offloads look different at the
NIC. What the underlay does to frames (loss, duplicates, changes, fragments) is done by a program between two cables; the
VLAN devices are made of one too. Where frames were taken out of a file or moved in time after the recording,
`truth.json` says so.

That the bundles prove something can be seen: `lanecheck test Captures --without RULE`, or without one of a rule's
exceptions (`lanecheck explain RULE` names them), fails.

"""


def rules_of(directory, told):
    """Rules that a bundle must raise; those to which it is close, and which it must not raise."""
    path = directory / "expect.yaml"
    text = path.read_text() if path.exists() else ""
    raised = set(re.findall(r"^  - \{ rule: ([a-z-]+)", text, re.MULTILINE))
    near = {told["rule"]} if told.get("kind") == "near" and told.get("rule") else set()
    for never in re.findall(r"^never: \[(.*)\]", text, re.MULTILINE):
        near |= {rule.strip() for rule in never.split(",")}
    return raised, near - raised


def rule_table(bundles):
    """`bundles`: (name, path, rules that must be raised, rules that must not)."""
    lines = ["| rule | must be raised in | close, and must not in |", "|---|---|---|"]

    def links(which, rule):
        chosen = [f"[{name}]({path})" for name, path, *rules in bundles if rule in rules[which]]
        return ", ".join(chosen)

    for rule in sorted({rule for _, _, raised, near in bundles for rule in raised | near}):
        lines.append(f"| [{rule}](../Documentation/Rules/{rule}.md) | {links(0, rule)} | {links(1, rule)} |")
    return lines


def page(root):
    """Markdown that lists the bundles below a directory, from what their truth.json and expect.yaml say."""
    found, bundles = {}, []
    for path in sorted(root.glob("**/truth.json")):
        told = json.loads(path.read_text())
        relative = path.parent.relative_to(root)
        family = relative.parts[0] if len(relative.parts) > 1 else ""
        verdict, comment = expected(path.parent)
        teaches = told.get("teaches") or comment
        if told.get("rule") and told["kind"] != "clean":
            teaches += f" ({'raises' if told['kind'] == 'fault' else 'close to'} `{told['rule']}`)"
        found.setdefault(family, []).append((relative.name, relative, teaches, verdict))
        bundles.append((relative.name, relative, *rules_of(path.parent, told)))
    lines = []
    for family, title in FAMILIES.items():
        if family in found:
            lines += [f"## {title}", "", *table(found[family]), ""]
    lines += ["## By rule", "", *rule_table(bundles), ""]
    return PREFACE + "\n".join(lines).rstrip() + "\n"
