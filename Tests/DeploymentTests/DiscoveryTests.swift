import Deployment
import Foundation
import Testing
import Wire

@Suite struct DiscoveryTests {
  /// File name in a host's directory → interface and direction, with and without known interfaces.
  @Test(
    arguments: [
      ("eth1.pcap", "eth1", "eth1"), ("eth1.pcap0", "eth1", "eth1"), ("eth1.pcap12", "eth1", "eth1"),
      ("eth1_00001_20260102030405.pcap", "eth1", "eth1"), ("eth1-2026-01-02_03-04-05.pcap", "eth1", "eth1"),
      ("eth1_1767225600.pcap", "eth1", "eth1"), ("eth10.pcap", "eth10", "eth10"), ("eth1.in.pcap", "eth1", "eth1"),
      ("eth1.out.pcapng", "eth1", "eth1"), ("eth1.100.pcap", "eth1.100", "eth1.100"),
      ("tap60820963-9a.pcap", "tap60820963-9a", "tap60820963-9a"),
      ("tap60820963-99.cap", "tap60820963-99", "tap60820963-99"),
      ("vxlan_sys_4789.pcap", "vxlan_sys_4789", "vxlan_sys_4789"), ("br-ex.pcap", "br-ex", "br-ex"),
      ("any.pcap", nil, nil), ("all.pcapng", nil, nil), ("capture2.pcap", nil, nil), ("trace.pcap", nil, nil),
      ("h-eth1.pcap", "eth1", "eth1"), ("tcpdump_eth1.pcap", "eth1", "eth1"), ("lab7-tapab.pcap", "tapab", "tapab"),
      ("very-long-description-of-a-run.pcap", nil, nil), ("uplink_a-run3.pcap", "uplink_a", "uplink_a-run3"),
      ("eth1.pcap.gz", "eth1", "eth1"), ("eth1.pcap.zst", "eth1", "eth1"), ("eth1.pcap0.gz", "eth1", "eth1"),
      ("eth1_00003_20260102030405.pcapng.zst", "eth1", "eth1"), ("eth1-20260102-030405.pcap2", "eth1", "eth1"),
      ("eth1.in_00003_20260102030405.pcap.gz", "eth1", "eth1"), ("eth1.out.pcap3", "eth1", "eth1"),
    ] as [(String, String?, String?)])
  func interfacesAreReadFromFileNames(file: String, known: String?, unknown: String?) throws {
    let devices = ["eth1", "eth10", "uplink_a", "tap60820963-9a"].map { "{\"ifname\":\"\($0)\"}" }
    let state = ["h/ip-link.json": "[\(devices.joined(separator: ","))]"]
    for (files, expected) in [(state, known), ([:], unknown)] {
      let deployment = try Scratch(files.merging(["h/\(file)": Scratch.pcap]) { a, _ in a }).load()
      #expect(deployment.captures.map(\.interface) == [expected], "\(file)")
      let direction: CaptureSource.Direction? =
        file.contains(".in.") || file.contains(".in_") ? .inbound : file.contains(".out.") ? .outbound : nil
      #expect(deployment.captures.first?.direction == direction)
    }
  }

  @Test(
    arguments: [
      ("eth1.pcap", nil), ("eth1.pcap0", 0), ("eth1.pcap12", 12), ("eth1.pcap007.gz", 7), ("eth1.in.pcap3", 3),
      ("eth1_00042_20260102030405.pcapng", 42), ("eth1_00042.pcap", 42), ("eth1-2026-01-02_03-04-05.pcap", nil),
      ("eth1_1767225600.pcap", nil), ("eth1.pcap99999999999999999999", nil),
    ] as [(String, Int?)])
  func rotatedFilesHaveNumbers(file: String, number: Int?) throws {
    let deployment = try Scratch(["h/\(file)": Scratch.pcap]).load()
    #expect(deployment.captures.map(\.sequence) == [number])
  }

  @Test func rotatedFilesStandInTheirOrder() throws {
    let names = ["eth1.pcap2", "eth1.pcap10", "eth1.pcap", "eth1.pcap1", "eth0.pcap"]
    let deployment = try Scratch(Dictionary(uniqueKeysWithValues: names.map { ("h/\($0)", Scratch.pcap) })).load()
    #expect(
      deployment.captures.map(\.name)
        == ["h/eth0.pcap", "h/eth1.pcap", "h/eth1.pcap1", "h/eth1.pcap2", "h/eth1.pcap10"])
    #expect(deployment.notes.isEmpty)
  }

  @Test func filesWithoutTellingNamesAreRecognisedByContent() throws {
    let deployment = try Scratch([
      "h/uplink": Scratch.pcap, "h/state.txt": vsctlShow(ports: ["qvo1": 3]),
      "h/dump-br-tun": " cookie=0x0, duration=1s, table=0, priority=0 actions=drop\n",
      "h/mac-table-of-br-int": " port  VLAN  MAC                Age\n    2     3  fa:16:3e:39:00:11    1\n",
      "h/ports-br-int.out": "OFPT_FEATURES_REPLY (xid=0x2): dpid:00003a2ea7877146\n 4(qvo1): addr:7a:94:c0:88:02:2d\n",
      "h/devices": #"[{"ifname":"uplink","addr_info":[{"local":"192.0.2.9"}]}]"#,
      "h/core.bin": "\u{7f}ELF",
    ]).load()
    let host = try #require(deployment.hosts.first)
    let bridges = try #require(host.state?.bridges)
    #expect(deployment.captures.map(\.interface) == ["uplink"])
    #expect(bridges.map(\.name) == ["br-int", "br-tun"])
    #expect(bridges[0].ports.map(\.ofport) == [4])
    #expect(bridges[0].fdb.count == 1)
    #expect(bridges[1].flowsFile == "h/dump-br-tun")
    #expect(host.addresses == [IPAddress(v4: 0xc000_0209)])
    #expect(deployment.notes.map(\.file) == ["h/core.bin"])
    #expect(deployment.notes.map(\.kind) == [.ignored])
  }

  @Test func theHighestDialectThatHoldsFlowsWins() throws {
    let flow = " cookie=0x0, duration=1s, table=0, priority=0 actions=drop\n"
    let files = [
      "h/br-tun.flows": flow, "h/br-tun.of13.flows": flow, "h/br-tun.of15.flows": "version negotiation failed\n",
    ]
    let deployment = try Scratch(files).load()
    #expect(deployment.hosts[0].state?.bridges.map(\.flowsFile) == ["h/br-tun.of13.flows"])
    #expect(deployment.notes.contains { $0.kind == .unreadable && $0.file == "h/br-tun.of15.flows" && $0.line == 1 })
  }

  /// Captures and state in folders of their own, hosts in folders by site: all say the same.
  @Test(arguments: [
    ["h1/captures/eth1.pcap", "h1/state/br-tun.flows", "h2/pcap/eth1.pcap", "h2/ovs/br-tun.flows"],
    ["captures/h1/eth1.pcap", "state/h1/br-tun.flows", "captures/h2/eth1.pcap", "state/h2/br-tun.flows"],
    ["north/h1/eth1.pcap", "north/h1/br-tun.flows", "south/h2/eth1.pcap", "south/h2/br-tun.flows"],
    ["a/b/h1/eth1.pcap", "a/b/h1/br-tun.flows", "a/b/h2/eth1.pcap", "a/b/h2/br-tun.flows"],
  ])
  func hostsMayLieDeeper(files: [String]) throws {
    let flows = " cookie=0x0, duration=1s, table=0, priority=0 actions=drop\n"
    let bundle = files.map { ($0, $0.hasSuffix(".pcap") ? Scratch.pcap : flows) }
    let deployment = try Scratch(Dictionary(uniqueKeysWithValues: bundle)).load()
    #expect(deployment.hosts.map(\.name) == ["h1", "h2"])
    #expect(deployment.captures.map(\.interface) == ["eth1", "eth1"])
    #expect(deployment.captures.map(\.host) == [0, 1])
    #expect(deployment.hosts.allSatisfy { $0.before?.bridges.map(\.name) == ["br-tun"] })
    #expect(deployment.notes == [])
  }

  @Test func severalBundlesAreNotOne() throws {
    let bundles = try Scratch(["run1/h1/eth1.pcap": Scratch.pcap, "run2/h1/eth1.pcap": Scratch.pcap])
    let error = #expect(throws: BundleError.self) { try bundles.load() }
    #expect(error.map { "\($0)".contains("run1/h1 and run2/h1") } == true)
  }

  @Test func hostsMayBeNumbered() throws {
    let deployment = try Scratch([
      "host1-eth1.pcap": Scratch.pcap, "host1-tap3f.pcap": Scratch.pcap, "host2_eth1.pcap": Scratch.pcap,
    ]).load()
    #expect(deployment.hosts.map(\.name) == ["host1", "host2"])
    #expect(deployment.captures.map(\.interface) == ["eth1", "tap3f", "eth1"])
  }

  @Test func onlyAfterServesAsState() throws {
    let bound = boundPort("qvo1", tag: 5, network: "N", segment: 9, recorded: 4, mac: "fa:16:3e:00:00:01", uuid: "U")
    let deployment = try Scratch([
      "h/after/ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 5]), "h/after/ovsdb-port.json": ovsdbList([bound.port]),
      "h/after/ovsdb-interface.json": ovsdbList([bound.interface]),
    ]).load()
    let host = deployment.hosts[0]
    #expect(host.before == nil)
    #expect(host.state?.bridges.isEmpty == false)
    let port = try #require(deployment.ports.first)
    #expect((port.installedTag, port.installedTagAfter, port.recordedTag) == (5, 5, 4))
    #expect(deployment.notes.map(\.kind) == [.contradiction])
  }

  @Test func tagsOfBeforeAndAfterAreBothKept() throws {
    let deployment = try Scratch([
      "h/ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 5]),
      "h/after/ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 4095, "qvo2": 6]),
    ]).load()
    #expect(deployment.ports.map(\.installedTag) == [5, nil])
    #expect(deployment.ports.map(\.installedTagAfter) == [4095, 6])
  }

  @Test func aBundleWithoutStateHasHostsCapturesAndInferredPorts() throws {
    let deployment = try Scratch([
      "a/tap1.pcap": Scratch.pcap, "a/qvo1.pcap": Scratch.pcap, "a/eth0.pcap": Scratch.pcap,
      "b/tap2.pcap": Scratch.pcap,
      "b/README.md": "words", "docs/notes.txt": "more words",
    ]).load()
    #expect(deployment.hosts.map(\.name) == ["a", "b"])
    #expect(deployment.hosts.allSatisfy { $0.state == nil && $0.vteps.isEmpty })
    #expect(deployment.ports.map(\.source) == [.inferred, .inferred])
    #expect(deployment.ports.map(\.tap) == ["tap1", "tap2"])
    #expect(deployment.ports.map(\.bridgePort) == ["qvo1", "tap2"])
    #expect(deployment.role(of: "tap1", on: 0) == InterfaceRole(kind: .tap, port: 0))
    #expect(deployment.role(of: "qvo1", on: 0) == InterfaceRole(kind: .qvo, port: 0))
    #expect(deployment.role(of: "eth0", on: 0) == InterfaceRole(kind: .tunnel))
    #expect(deployment.notes.map(\.file) == ["docs/notes.txt", "docs"])
  }

  @Test func capturesInTheGivenDirectoryBelongToOneHostOrToThePrefixes() throws {
    let one = try Scratch(["eth1.pcap": Scratch.pcap, "tap1.pcap": Scratch.pcap], named: "compute7").load()
    #expect(one.hosts.map(\.name) == ["compute7"])
    #expect(one.captures.map(\.name) == ["eth1.pcap", "tap1.pcap"])
    let two = try Scratch([
      "c-1-eth1.pcap": Scratch.pcap, "c-1-tap1.pcap": Scratch.pcap, "c-2_eth1.pcap": Scratch.pcap,
    ]).load()
    #expect(two.hosts.map(\.name) == ["c-1", "c-2"])
    #expect(two.captures.map(\.interface) == ["eth1", "tap1", "eth1"])
    let state = try Scratch(
      ["ovs-vsctl-show.txt": vsctlShow(ports: ["qvo1": 2]), "after/x.pcap": Scratch.pcap], named: "solo")
    #expect(try state.load().hosts.map(\.name) == ["solo"])
  }

  @Test func neutronsAnswersBesidePrefixedCapturesAreNoState() throws {
    let scratch = try Scratch([
      "a-eth1.pcap": Scratch.pcap, "b-eth1.pcap": Scratch.pcap, "neutron-ports.json": #"{"ports":[]}"#,
      "neutron-networks.json": #"{"networks":[{"id":"n","name":"blue"}]}"#,
    ])
    let deployment = try scratch.load()
    #expect(deployment.hosts.map(\.name) == ["a", "b"])
    #expect(deployment.networks.map(\.name) == ["blue"])
    #expect(deployment.complete)
  }

  @Test func notesOfASingleHostsFilesBelongToIt() throws {
    let deployment = try Scratch(["ovs-vsctl-show.txt": "u\nnonsense\n", "eth1.pcap": Scratch.pcap]).load()
    #expect(deployment.notes.map(\.host) == [0])
    #expect(deployment.notes.map(\.line) == [2])
  }

  @Test func looseFilesFindTheirHosts() throws {
    let manifest = """
      networks: { n: { vni: 5 } }
      hosts:
        web: { ports: { p: { network: n, tap: tapaa, mac: "fa:16:3e:00:00:01" } } }
        db: {}
      """
    let scratch = try Scratch([
      "m.yaml": manifest, "db/eth1.pcap": Scratch.pcap, "x/tapaa.pcap": Scratch.pcap, "x/web-eth1.pcap": Scratch.pcap,
      "x/other.pcap": Scratch.pcap,
    ])
    let files = ["db/eth1.pcap", "x/tapaa.pcap", "x/web-eth1.pcap", "x/other.pcap", "x/other.pcap"].map(scratch.file)
    let deployment = try loadFiles(files, manifest: scratch.file("m.yaml"))
    #expect(deployment.hosts.map(\.name) == ["db", "web", "x"])
    #expect(deployment.captures.map(\.host) == [0, 1, 1, 2])
    #expect(deployment.captures.map(\.interface) == ["eth1", "eth1", "tapaa", "other"])
    #expect(deployment.ports.map(\.tap) == ["tapaa"])
    #expect(try loadFiles([scratch.file("db/eth1.pcap")], manifest: nil).hosts.map(\.name) == ["db"])
    #expect(try loadBundle(path: scratch.file("db/eth1.pcap")).hosts.map(\.name) == ["db"])
    #expect(throws: BundleError.self) { try loadFiles([scratch.file("none.pcap")], manifest: nil) }
    #expect(throws: BundleError.self) { try loadFiles([scratch.file("x")], manifest: nil) }
  }

  @Test func linksAreFollowedOnlyInsideTheBundle() throws {
    let outside = try Scratch(["secret.pcap": Scratch.pcap])
    let scratch = try Scratch(["h/eth1.pcap": Scratch.pcap, ".hidden/eth1.pcap": Scratch.pcap, "h/.eth2.pcap": "x"])
    try scratch.link("h/leak.pcap", to: outside.file("secret.pcap"))
    try scratch.link("h/gone.pcap", to: "nowhere")
    try scratch.link("h/loop.pcap", to: "loop.pcap")
    try scratch.link("again", to: "h")
    try scratch.link("up", to: ".")
    try scratch.link("h/same.pcap", to: "eth1.pcap")
    let deployment = try scratch.load()
    // Links that lead nowhere are captures that cannot be read: the report says so.
    #expect(deployment.captures.map(\.name) == ["h/eth1.pcap", "h/gone.pcap", "h/loop.pcap"])
    #expect(deployment.hosts.count == 1)
    let noted = Set(deployment.notes.map { $0.file.split(separator: "/").last ?? "" })
    #expect(noted.isSuperset(of: ["leak.pcap", "up"]))
    #expect(deployment.notes.allSatisfy { $0.kind == .ignored })
  }

  @Test func nothingToReadIsAnError() throws {
    let empty = try Scratch(["README.md": "x"])
    #expect(throws: BundleError.self) { try empty.load() }
    #expect(throws: BundleError.self) { try loadBundle(path: empty.path + "/none") }
  }

  @Test func aFileTooLargeForStateIsRefused() throws {
    let scratch = try Scratch(["h/eth1.pcap": Scratch.pcap, "h/ovs-vsctl-show.txt": ""])
    let handle = try #require(FileHandle(forWritingAtPath: scratch.file("h/ovs-vsctl-show.txt")))
    try handle.truncate(atOffset: 257 << 20)
    try handle.close()
    let deployment = try scratch.load()
    #expect(deployment.notes.map(\.kind) == [.missing])
    #expect(deployment.notes.first?.text.contains("256 MiB") == true)
  }
}
