"""The small overlays that most scenarios start from; what is to be built is told, and not built yet."""


def pair(lab, hosts=2, **options):
    """One network with a guest on each of the first two hosts."""
    one, two = lab.add_hosts(hosts)[:2]
    net = lab.network("net", **options)
    return one, two, net, lab.guest("alpha", one, net), lab.guest("beta", two, net)


def trio(lab, **options):
    """One network with a guest on each of three hosts; options of guests by their names."""
    one, two, three = lab.add_hosts(3)[:3]
    net = lab.network("net")
    guests = [lab.guest(name, host, net, **options.get(name, {})) for name, host in (
        ("alpha", one), ("beta", two), ("gamma", three))]
    return one, two, three, net, *guests
