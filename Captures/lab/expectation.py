"""expect.yaml: what `lanecheck test` must find in a bundle, drafted from what the recorder did."""

import json

import model


class Expectation:
    def __init__(self, name):
        self.name = name
        self.verdict = "pass"
        self.findings = []
        self.allowed = []
        self.never = []
        self.fail_on = None
        self.coverage = []
        self.named_by_manifest = False

    def finds(self, rule, host=None, network=None, cause=None, count=None, verdict="fail"):
        """A finding that must be there, as a cause."""
        self.verdict = verdict
        finding = {"rule": rule}
        if host is not None:
            finding["host"] = host.name
        if network is not None:
            finding["network"] = network
        if count is not None:
            finding["count"] = count
        if cause is not None:
            finding["cause"] = cause
        self.findings.append(finding)
        return self

    def allows(self, *rules):
        """Findings that may be there beside those."""
        self.allowed += [rule for rule in rules if rule not in self.allowed]
        return self

    def forbids(self, *rules):
        """Findings that must not be there, not even as remarks."""
        self.never += rules
        return self

    def covers(self, host, network, out=">0", into=">0"):
        self.coverage.append({"host": host.name, "network": network, "out": out, "in": into})
        return self

    def text(self, scenario):
        lines = [f"# {scenario.teaches}", f"verdict: {self.verdict}"]
        lines.append("findings:" if self.findings else "findings: []")
        for finding in self.findings:
            lines.append(self.item(finding))
        if self.allowed:
            lines.append("allow: [" + ", ".join(self.allowed) + "]")
        if self.fail_on:
            lines.append(f"failOn: {self.fail_on}")
        if self.never:
            lines.append("never: [" + ", ".join(self.never) + "]")
        if self.coverage:
            lines.append("coverage:")
            for row in self.coverage:
                lines.append(self.item(row))
        return "\n".join(lines) + "\n"

    def item(self, members):
        text = ", ".join(f"{key}: {scalar(self.name_of(value))}" for key, value in members.items())
        return "  - { " + text + " }"

    def name_of(self, value):
        if isinstance(value, model.Network):
            return value.name if self.named_by_manifest else value.report_name
        return value


def scalar(value):
    if isinstance(value, int):
        return str(value)
    plain = value.replace("-", "").replace("_", "").isalnum() and not value.replace("-", "").isdigit()
    # A name of digits and "e" alone would be read as a number.
    plain = plain and not value.replace("e", "").replace("-", "").isdigit()
    return value if plain else json.dumps(value)


def cover_all(lab, bundle):
    """Expects traffic in both directions wherever a captured host has a guest of a tunnelled network."""
    for host in bundle.hosts_of_captures():
        for network in lab.networks:
            if network.tunnelled and any(guest.host is host and guest.network is network for guest in lab.guests):
                bundle.expected.covers(host, network)
