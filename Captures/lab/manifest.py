"""lanecheck.yaml of a lab: what should be, as a person would write it."""


def manifest(lab, complete):
    lines = ["networks:"]
    for network in lab.networks:
        lines.append(f'  {network.name}: {{ vni: {network.vni}, type: {network.kind}, uuid: "{network.uuid}" }}')
    lines.append("hosts:")
    for host in lab.hosts:
        lines += [f"  {host.name}:", f'    vtep: "{host.vtep}"']
        here = [guest for guest in lab.guests if guest.host is host]
        vlans = {guest.network.name: host.vlans[guest.network] for guest in here if guest.network.tunnelled}
        if vlans:
            lines.append("    vlans: { " + ", ".join(f"{name}: {vlan}" for name, vlan in vlans.items()) + " }")
            lines.append("    ports:")
        for guest in here:
            names = [f"{key}: {getattr(guest, key)}" for key in ("tap", "qvo") if getattr(guest, key)]
            allowed = sorted({mac for mac, _ in guest.allowed})
            if allowed:
                names.append("allowed: [" + ", ".join(f'"{mac}"' for mac in allowed) + "]")
            lines.append(f'      {guest.name}: {{ network: {guest.network.name}, mac: "{guest.mac}", '
                         f'ip: ["{guest.ip}", "{guest.ip6}"], {", ".join(names)} }}')
    lines.append(f"complete: {'true' if complete else 'false'}")
    return "\n".join(lines) + "\n"
