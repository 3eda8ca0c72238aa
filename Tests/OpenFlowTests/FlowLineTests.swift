import OpenFlow
import Testing
import Wire

@Suite("One line of a dump")
struct FlowLineTests {
  @Test("statistics and match are told apart")
  func statistics() throws {
    let flow = try flow(
      " cookie=0x98005a9960fa437, duration=38.551s, table=20, n_packets=9, n_bytes=694, idle_timeout=7, "
        + "hard_timeout=300, send_flow_rem importance=12, idle_age=33, hard_age=32, "
        + "priority=1,vlan_tci=0x0001/0x0fff,dl_dst=fa:16:3e:83:95:fa "
        + "actions=load:0->NXM_OF_VLAN_TCI[],load:0x3e9->NXM_NX_TUN_ID[],output:2")
    #expect(flow.cookie == 0x980_05a9_960f_a437)
    #expect(flow.durationNanoseconds == 38_551_000_000)
    #expect(flow.table == 20)
    #expect(flow.packets == 9 && flow.bytes == 694)
    #expect(flow.idleTimeout == 7 && flow.hardTimeout == 300)
    #expect(flow.flags == ["send_flow_rem"] && flow.importance == 12)
    #expect(flow.idleAge == 33 && flow.hardAge == 32)
    #expect(flow.priority == 1)
    #expect(flow.match == terms((.vlanTCI, 1, 0xfff), (.ethernetDestination, 0xfa16_3e83_95fa, 0xffff_ffff_ffff)))
    #expect(flow.match.vlanID == 1)
    #expect(
      flow.actions == [
        .set(.vlanTCI, value: 0, mask: 0xffff), .set(.tunnelID, value: 0x3e9, mask: Field.tunnelID.allBits),
        .output(.number(2)),
      ])
    #expect(
      flow.text
        == "priority=1,vlan_tci=0x0001/0x0fff,dl_dst=fa:16:3e:83:95:fa "
        + "actions=load:0->NXM_OF_VLAN_TCI[],load:0x3e9->NXM_NX_TUN_ID[],output:2")
  }

  @Test("a line without statistics, match or actions")
  func bare() throws {
    let flow = try flow(" actions=drop")
    #expect(flow.match.isCatchAll && flow.actions.isEmpty && flow.priority == 32768)
    #expect(flow.durationNanoseconds == nil && flow.packets == nil && flow.idleAge == nil)
    #expect(flow.text == "actions=drop")
  }

  @Test("the form of add-flows and of bridge/dump-flows: one list with commas")
  func mixed() throws {
    let flow = try flow("table=4,priority=1,cookie=0x1,tun_id=0xef,idle_timeout=5,in_port=2,actions=output:3")
    #expect(flow.table == 4 && flow.priority == 1 && flow.idleTimeout == 5)
    #expect(flow.match.exact(.tunnelID) == 0xef && flow.match.inPort == .number(2))
    #expect(flow.text == "priority=1,tun_id=0xef,in_port=2 actions=output:3")
    let appctl = FlowDump(text: "table_id=20, duration=7s, n_packets=0, n_bytes=0, priority=0,actions=resubmit(,22)\n")
    #expect(appctl.flows.first?.table == 20 && appctl.errors.isEmpty)
  }

  @Test("header lines name the version")
  func dialects() {
    let line = " cookie=0x0, table=0, priority=0 actions=NORMAL\n"
    #expect(FlowDump(text: "NXST_FLOW reply (xid=0x4):\n" + line).dialect == .openFlow10)
    #expect(FlowDump(text: "OFPST_FLOW reply (xid=0x4):\n" + line).dialect == .openFlow10)
    #expect(FlowDump(text: "OFPST_FLOW reply (OF1.3) (xid=0x2):\n" + line).dialect == .later(minor: 3))
    #expect(FlowDump(text: "OFPST_FLOW reply (OF1.4) (xid=0x2): flags=[more]\n" + line).dialect == .later(minor: 4))
    #expect(FlowDump(text: line).dialect == .unknown)
    #expect(FlowDump(text: " actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:1").dialect == .later(minor: nil))
    #expect(FlowDump(text: " actions=mod_vlan_vid:1,resubmit(,10)").dialect == .openFlow10)
    #expect(FlowDump.Dialect.openFlow10.isLossy && !FlowDump.Dialect.later(minor: 3).isLossy)
  }

  @Test("line ends, byte order mark, blank lines, comments")
  func lines() {
    let dump = FlowDump(text: "\u{feff}# flows\r\n\r\n table=1, priority=0 actions=drop \r\n\t\n table=2, actions=drop")
    #expect(dump.errors == [])
    #expect(dump.flows.map(\.table) == [1, 2])
    #expect(dump.flows.map(\.line) == [3, 5])
  }

  /// Line, column at fault, part of the reason.
  @Test(
    "a line that cannot be read is an error with its place, and the rest is used",
    arguments: [
      ("table=0, priority=1", 20, "actions="),
      ("table=256, actions=drop", 7, "above 255"),
      ("priority=65536 actions=drop", 10, "above 65535"),
      ("dl_vlan=4096 actions=drop", 9, "at most 4095"),
      ("dl_vlan=abc actions=drop", 9, "number"),
      ("dl_dst=fa:16:3e actions=drop", 8, "MAC"),
      ("nw_src=10.0.0 actions=drop", 8, "IPv4"),
      ("nw_src=10.0.0.256 actions=drop", 8, "IPv4"),
      ("ip,nw_src=10.0.0.0/33 actions=drop", 20, "above 32"),
      ("ipv6,ipv6_src=fe80:::1 actions=drop", 21, "after 'ipv6_src'"),
      ("ipv6,ipv6_src=fe80::1: actions=drop", 15, "IPv6"),
      ("ipv6,ipv6_src=1:2:3:4:5:6:7:8:9 actions=drop", 31, "after 'ipv6_src'"),
      ("tun_id=0x10000000000000000 actions=drop", 8, "fit"),
      ("duration=1.5, actions=drop", 10, "seconds"),
      ("dl_vlan=1,dl_vlan=2 actions=drop", 11, "contradicts"),
      ("in_port=1,in_port=2 actions=drop", 11, "contradicts"),
      ("in_port=\"patch actions=drop", 9, "quoted"),
      ("ct_state=+nwe actions=drop", 11, "unknown flag"),
      ("!! actions=drop", 1, "unexpected"),
      ("actions=output:", 16, "port"),
      ("actions=resubmit(,2", 20, "')'"),
      ("actions=learn(table=20", 23, "not closed"),
      ("actions=learn(table=20,NXM_OF_VLAN_TCI[0..16])", 40, "no such bits"),
      ("actions=load:0x1000->NXM_OF_VLAN_TCI[0..11]", 14, "fit"),
      ("actions=move:NXM_OF_ETH_SRC[]->NXM_OF_VLAN_TCI[]", 14, "width"),
      ("actions=set_field:1x->reg0", 20, "number"),
      ("actions=output:1)", 17, "closes nothing"),
      ("actions=foo(bar", 9, "not closed"),
      ("actions=ct(commit,zone=)", 24, "zone"),
      ("actions=strip_vlan;output:1", 19, "after 'strip_vlan'"),
      ("ovs-ofctl: br-tun is not a bridge or a socket", 46, "actions="),
    ])
  func malformed(_ line: String, _ column: Int, _ reason: String) {
    let dump = FlowDump(text: " priority=3 actions=drop\n\(line)\n priority=4 actions=drop\n")
    #expect(dump.flows.map(\.priority) == [3, 4])
    #expect(dump.errors.count == 1)
    guard let error = dump.errors.first else { return }
    #expect(error.line == 2)
    #expect(error.column == column, "\(error.reason)")
    #expect(error.reason.contains(reason), "\(error.reason)")
    #expect(error.text == line)
  }

  @Test("deep nesting is an error, not an overflow of the stack")
  func nesting() {
    let deep = String(repeating: "clone(", count: 100_000) + String(repeating: ")", count: 100_000)
    let dump = FlowDump(text: "actions=" + deep)
    #expect(dump.flows.isEmpty)
    #expect(dump.errors.first?.reason.contains("deeply") == true)
    let ten = String(repeating: "clone(", count: 10) + "output:1" + String(repeating: ")", count: 10)
    #expect(FlowDump(text: "actions=" + ten).errors.isEmpty)
  }

  @Test("no cut or changed byte of a real line makes the reader fail otherwise than with an error")
  func damaged() throws {
    let path = try #require(Recorded.files("br-tun.of13.flows").first)
    let bytes = try Recorded.bytes(path)
    let end = try #require(bytes.dropFirst(2000).firstIndex(of: UInt8(ascii: "\n")))
    let sample = Array(bytes[..<end])
    for cut in stride(from: 0, to: sample.count, by: 7) {
      let dump = FlowDump(bytes: Array(sample[..<cut]))
      #expect(dump.errors.count <= 1)
    }
    let whole = FlowDump(bytes: sample).flows.count
    for (index, replacement) in zip(stride(from: 0, to: sample.count, by: 3), "(),=:[]\"/-> \0\n9".utf8.cycled) {
      var changed = sample
      changed[index] = replacement
      let dump = FlowDump(bytes: changed)
      #expect(dump.flows.count + dump.errors.count >= whole - 1)
      #expect(dump.flows.count + dump.errors.count <= whole + 1)
    }
  }
}

extension Sequence {
  /// The elements over and over.
  var cycled: some Sequence<Element> {
    let all = Array(self)
    return sequence(state: 0) { (index: inout Int) -> Element? in
      defer { index = (index + 1) % all.count }
      return all[index]
    }
  }
}
