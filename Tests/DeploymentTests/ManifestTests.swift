import Deployment
import Testing
import Wire

@Suite struct ManifestTests {
  private let full = """
    networks:
      net-a: { vni: 0x39 }
      net-b: { vni: 64, type: gre }
      prov: { type: vlan, vlan: 100 }
      flat: { type: flat }
    hosts:
      compute1:
        vtep: 192.0.2.1
        vlans: { net-a: 1, net-b: 0x2 }
        ports:
          test: { network: net-a, mac: fa:16:3e:39:00:01, ip: [10.0.0.11, "2001:db8::11"],
                  allowed: ["00:00:5e:00:01:2a", 10.0.0.0/24], tap: tap60820963-9a, qvo: qvo60820963-9a,
                  subports: [{ vlan: 100, network: net-b }] }
      compute2:
        vtep: ["2001:db8::2"]
        interfaces: { span7: mirror, p9: tunnel device }
    complete: true
    """

  @Test func everythingInAManifestReachesTheDeployment() throws {
    let deployment = try Scratch(["lanecheck.yaml": full, "compute1/eth1.pcap": Scratch.pcap]).load()
    #expect(deployment.complete)
    #expect(deployment.networks.map(\.name) == ["net-a", "net-b", "prov", "flat"])
    #expect(deployment.networks.map(\.kind) == [.vxlan, .gre, .vlan, .flat])
    #expect(deployment.networks.map(\.segmentationID) == [57, 64, 100, nil])
    #expect(deployment.networks.allSatisfy { $0.source == .manifest })
    #expect(deployment.hosts.map(\.name) == ["compute1", "compute2"])
    #expect(deployment.hosts[0].vteps == [IPAddress(v4: 0xc000_0201)])
    #expect(deployment.hosts[1].vteps.map(String.init(describing:)) == ["2001:db8::2"])
    #expect(deployment.hosts[0].localVLANs == [0: 1, 1: 2])
    #expect(deployment.role(of: "span7", on: 1).kind == .mirror)
    #expect(deployment.role(of: "p9", on: 1).kind == .tunnelDevice)
    let port = try #require(deployment.ports.first)
    #expect(deployment.ports.count == 1)
    #expect((port.name, port.host, port.network) == ("test", 0, 0))
    #expect(port.macs == [MACAddress(rawValue: 0xfa16_3e39_0001)])
    #expect(port.addresses.map(String.init(describing:)) == ["10.0.0.11", "2001:db8::11"])
    #expect(port.allowedMACs == [MACAddress(rawValue: 0x5e00_012a)])
    #expect(port.allowedAddresses == ["10.0.0.0/24"])
    #expect([port.tap, port.qvo, port.bridgePort] == ["tap60820963-9a", "qvo60820963-9a", "qvo60820963-9a"])
    #expect(port.subports == [Subport(vlan: 100, network: 1)])
    #expect(port.source == .manifest)
  }

  @Test(arguments: [
    ("- a\n", 1, 1, "must be a mapping"),
    ("netwroks: {}\n", 1, 1, "did you mean networks?"),
    ("networks:\n  a: { vni: 1, tpye: gre }\n", 2, 16, "did you mean type?"),
    ("networks:\n  a: { vni: 1, type: vxlna }\n", 2, 22, "did you mean vxlan?"),
    ("networks:\n  a: { vni: 16777216 }\n", 2, 13, "out of range: 0 to 16777215"),
    ("networks:\n  a: { vni: 4294967296, type: gre }\n", 2, 13, "out of range: 0 to 4294967295"),
    ("networks:\n  a: { vni: 99999999999999999999999 }\n", 2, 13, "must be a number"),
    ("networks:\n  a: { vni: -1 }\n", 2, 13, "must be a number"),
    ("networks:\n  a: { vni: 0x }\n", 2, 13, "must be a number"),
    ("networks:\n  a: { vni: [1] }\n", 2, 13, "must be a word"),
    ("networks:\n  a: {}\n", 2, 6, "has no vni"),
    ("networks:\n  a: { type: vlan, vlan: 4095 }\n", 2, 26, "out of range: 1 to 4094"),
    ("networks:\n  a: { vlan: 7 }\n", 2, 14, "has a vni, not a vlan"),
    ("networks:\n  a: { vni: 1 }\n  a: { vni: 2 }\n", 2, 3, "twice: a"),
    ("networks: [a]\n", 1, 11, "networks must be a mapping"),
    ("hosts:\n  c:\n    vtep: 192.0.2.256\n", 3, 11, "no IP address: 192.0.2.256"),
    ("hosts:\n  c:\n    vtpe: 192.0.2.1\n", 3, 5, "did you mean vtep?"),
    ("networks:\n  a: { vni: 1 }\nhosts:\n  c:\n    vlans: { b: 1 }\n", 5, 14, "no network of this name: b"),
    ("networks:\n  a: { vni: 1 }\nhosts:\n  c:\n    vlans: { a: 0 }\n", 5, 17, "out of range: 1 to 4094"),
    ("hosts:\n  c:\n    ports:\n      p: { network: net-x }\n", 4, 21, "no network of this name: net-x"),
    ("hosts:\n  c:\n    ports:\n      p: { mac: fa:16:3e }\n", 4, 17, "no MAC address"),
    ("hosts:\n  c:\n    ports:\n      p: { mac: ff:ff:ff:ff:ff:ff }\n", 4, 17, "no MAC address"),
    ("hosts:\n  c:\n    ports:\n      p: { allowed: [10.0.0.0/33] }\n", 4, 22, "neither a MAC nor an IP"),
    ("hosts:\n  c:\n    ports:\n      p: { subports: [{ vlan: 5 }] }\n", 4, 23, "needs vlan and network"),
    ("hosts:\n  c:\n    interfaces: { e: tunel }\n", 3, 22, "did you mean tunnel?"),
    ("complete: perhaps\n", 1, 11, "true or false"),
    ("networks: {\n", 2, 1, "no valid YAML"),
    ("networks: &x { a: { vni: 1 } }\nhosts: *x\n", 2, 0, "aliases"),
  ])
  func aMistakeIsNamedWithItsPlace(text: String, line: Int, column: Int, reason: String) throws {
    let scratch = try Scratch(["lanecheck.yaml": text, "c/eth1.pcap": Scratch.pcap])
    let error = try #require(throws: BundleError.self) { try scratch.load() }
    let problem = try #require(error.problems.first)
    #expect(problem.file == "lanecheck.yaml")
    #expect(problem.line == line)
    #expect(problem.column == column)
    #expect(problem.reason.contains(reason), "\(problem)")
  }

  @Test func allMistakesAreToldAtOnce() throws {
    let scratch = try Scratch(["lanecheck.yaml": "networks:\n  a: { vni: x }\n  b: { vnu: 1 }\ncomplet: true\n"])
    let error = try #require(throws: BundleError.self) { try scratch.load() }
    #expect(error.problems.map(\.line) == [2, 3, 3, 4])
    #expect(error.description.split(separator: "\n").count == 4)
  }

  @Test(arguments: [
    String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000),
    String(repeating: "- ", count: 100_000), "\u{0}\u{1}\u{2}", "\"", "? [a]: b", "!!binary x", "a: &a [*a]",
    "networks: {a: {vni: 1}}\n---\nnetworks: {}", String(repeating: "a", count: 2 << 20),
  ])
  func hostileYAMLIsAnError(text: String) throws {
    let scratch = try Scratch(["lanecheck.yaml": text])
    #expect(throws: BundleError.self) { try scratch.load() }
  }

  @Test func anEmptyManifestSaysNothing() throws {
    let deployment = try Scratch(["lanecheck.yaml": "# nothing\n", "h/eth1.pcap": Scratch.pcap]).load()
    #expect(deployment.networks.isEmpty && !deployment.complete)
    #expect(deployment.hosts.map(\.name) == ["h"])
  }

  @Test func aTypeLeftOutIsThatOfTheDeployment() throws {
    let bound = boundPort(
      "qvo1", tag: 1, network: "N", type: "geneve", segment: 9, recorded: 1, mac: "fa:16:3e:00:00:01", uuid: "U")
    let files = [
      "h/ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 1]), "h/ovsdb-port.json": ovsdbList([bound.port]),
      "h/ovsdb-interface.json": ovsdbList([bound.interface]),
    ]
    for (type, kind, notes) in [("", Network.Kind.geneve, 0), (", type: vxlan", .vxlan, 1)] {
      let manifest = ["lanecheck.yaml": "networks:\n  a: { vni: 9\(type) }\n"]
      let deployment = try Scratch(files.merging(manifest) { a, _ in a }).load()
      #expect(deployment.networks.map(\.name) == ["a"])
      #expect(deployment.networks.first?.kind == kind)
      #expect(deployment.notes.count == notes, "\(deployment.notes)")
    }
  }
}
