import OpenFlow
import Wire

/// NORMAL: a learning switch with VLANs (`xlate_normal` in ofproto/ofproto-dpif-xlate.c).
extension HostDatapath {
  /// The two tags of a frame as NORMAL treats them; a VID of 0 is no VLAN.
  struct VLANPair {
    struct Entry {
      var tpid: UInt16 = 0
      var vid: UInt16 = 0
      /// In its place in the TCI.
      var priority: UInt16 = 0
    }
    var outer = Entry()
    var inner = Entry()

    init() {}

    init(_ packet: Packet) {
      guard packet.tag0.tci & Packet.present != 0 else { return }
      outer = Entry(tpid: packet.tag0.tpid, vid: packet.tag0.vid, priority: packet.tag0.tci & 0xe000)
      guard packet.tag1.tci & Packet.present != 0 else { return }
      inner = Entry(tpid: packet.tag1.tpid, vid: packet.tag1.vid, priority: packet.tag1.tci & 0xe000)
    }

    /// Back into a packet: an entry without VID and priority is no tag.
    func put(_ packet: inout Packet) {
      packet.tag0 = VLANPair.tag(outer)
      packet.tag1 = VLANPair.tag(inner)
    }

    private static func tag(_ entry: Entry) -> VLANTag {
      let tci = entry.vid | entry.priority
      if tci == 0 { return VLANTag(tpid: 0, tci: 0) }
      return VLANTag(tpid: entry.tpid == 0 ? 0x8100 : entry.tpid, tci: tci | Packet.present)
    }
  }

  func normal(
    _ bridge: Int, _ table: UInt8, _ packet: inout Packet, _ flow: FlowIndex, _ run: inout Run, _ choices: inout Choices
  ) {
    let runtime = bridges[bridge]
    guard let inPort = runtime.portByNumber[packet.inPort], !runtime.ports[inPort].isMirrorOutput else {
      run.note("dropped: no such input port, or one that is kept for a mirror")
      return
    }
    run.dependence.noteSwitching(snooping: runtime.mcastSnooping)
    let policy = runtime.ports[inPort].vlans
    let received = VLANPair(packet)
    guard policy.admits(received.outer.vid) else {
      run.note("dropped: \(runtime.ports[inPort].name) does not take VLAN \(received.outer.vid)")
      return
    }
    if packet.destination.isReservedBridgeGroup, !runtime.forwardsBPDU {
      run.note("dropped: reserved multicast address")
      return
    }
    let switched = policy.onInput(received)
    let vlan = switched.outer.vid
    if !packet.source.isGroup {
      let key = BridgeRuntime.FDBKey(vlan: vlan, mac: packet.source.rawValue)
      run.effects.append(.see(bridge: bridge, key, port: Int32(inPort)))
      run.note("learned: \(packet.source) is on \(runtime.ports[inPort].name) in VLAN \(vlan)")
    }
    if runtime.mcastSnooping, packet.isSnooped {
      run.doubt("which ports have joined the multicast group is not known", flow)
      flood(bridge, table, inPort, switched, packet, isUncertain: true, flow, &run)
      return
    }
    switch location(bridge, vlan, packet, &run, &choices, flow) {
    case .port(inPort): run.note("dropped: learned on the port it came from")
    case .port(let port):
      run.note("forwarding to the learned port")
      if let copy = copy(bridge, port, switched, packet, isUncertain: packet.isUncertain) {
        run.put(copies: [copy], bridge, table, flow)
      }
    case .nowhere:
      run.note(packet.destination.isGroup ? "flooding a group address" : "no learned port for the MAC, flooding")
      flood(bridge, table, inPort, switched, packet, isUncertain: packet.isUncertain, flow, &run)
    case .anywhere:
      // It may have been learned on any port: each of the copies may be the only one.
      run.doubt("whether \(packet.destination) was learned is not known", flow)
      flood(bridge, table, inPort, switched, packet, isUncertain: true, flow, &run)
    }
  }

  private enum Whereabouts {
    case port(Int)
    case nowhere
    case anywhere
  }

  private func location(
    _ bridge: Int, _ vlan: UInt16, _ packet: Packet, _ run: inout Run, _ choices: inout Choices, _ flow: FlowIndex
  ) -> Whereabouts {
    if packet.destination.isGroup { return .nowhere }
    let runtime = bridges[bridge]
    let key = BridgeRuntime.FDBKey(vlan: vlan, mac: packet.destination.rawValue)
    // What this frame itself taught on its way counts at once.
    for effect in run.effects.reversed() {
      if case .see(bridge, key, let port) = effect { return .port(Int(port)) }
    }
    guard let record = runtime.fdb[key] else { return runtime.fdbIsComplete ? .nowhere : .anywhere }
    if let seen = record.seen {
      if run.now > seen.addingSaturating(runtime.macAging) { return .nowhere }
      run.dependence.validUntil = min(run.dependence.validUntil, seen.addingSaturating(runtime.macAging))
    }
    let count = record.others.count + 1 + (record.mayBeAbsent ? 1 : 0)
    if count == 1 { return .port(Int(record.port)) }
    run.doubt("where \(packet.destination) was learned last is not certain", flow)
    let choice = Int(choices.choose(UInt8(clamping: count)))
    if choice == 0 { return .port(Int(record.port)) }
    return choice <= record.others.count ? .port(Int(record.others[choice - 1])) : .nowhere
  }

  private func flood(
    _ bridge: Int, _ table: UInt8, _ inPort: Int, _ pair: VLANPair, _ packet: Packet, isUncertain: Bool,
    _ flow: FlowIndex, _ run: inout Run
  ) {
    let copies = bridges[bridge].floodOrder.compactMap { port -> Run.Copy? in
      let state = bridges[bridge].ports[port]
      guard port != inPort, state.vlans.includes(pair), !state.isMirrorOutput else { return nil }
      return copy(bridge, port, pair, packet, isUncertain: isUncertain)
    }
    run.put(copies: copies, bridge, table, flow)
  }

  private func copy(
    _ bridge: Int, _ port: Int, _ pair: VLANPair, _ packet: Packet, isUncertain: Bool
  ) -> Run.Copy? {
    let state = bridges[bridge].ports[port]
    guard let number = state.number else { return nil }
    var copy = packet
    state.vlans.onOutput(pair).put(&copy)
    return Run.Copy(port: number, tag0: copy.tag0, tag1: copy.tag1, isUncertain: isUncertain)
  }
}

extension Packet {
  /// Multicast that IGMP snooping steers: IP, and not of the addresses that every host must hear.
  var isSnooped: Bool {
    guard destination.isGroup, !destination.isBroadcast, isIP else { return false }
    if isIPv4 { return networkDestination >> 8 != 0xe00000 }
    return networkDestination != UInt128(0xff02) << 112 | 1
  }
}

extension VLANPolicy {
  private func trunks(_ vid: UInt16) -> Bool {
    if mode == .access { return false }
    if trunks.isEmpty || trunks.contains(vid) { return true }
    return (mode == .nativeTagged || mode == .nativeUntagged) && vid == tag
  }

  /// `input_vid_is_valid`.
  func admits(_ vid: UInt16) -> Bool {
    switch mode {
    case .access: vid == 0
    case .nativeTagged, .nativeUntagged: vid == 0 || trunks(vid)
    case .trunk: trunks(vid)
    case .dot1qTunnel: customerVLANs.isEmpty || customerVLANs.contains(vid)
    }
  }

  /// `xvlan_input_translate`.
  func onInput(_ received: HostDatapath.VLANPair) -> HostDatapath.VLANPair {
    var pair = received
    let tpid = received.outer.tpid == 0 ? 0x8100 : received.outer.tpid
    switch mode {
    case .access:
      pair = HostDatapath.VLANPair()
      pair.outer = .init(tpid: tpid, vid: tag, priority: received.outer.priority)
    case .trunk: break
    case .nativeTagged, .nativeUntagged:
      if received.outer.vid == 0 { pair.outer = .init(tpid: tpid, vid: tag, priority: received.outer.priority) }
    case .dot1qTunnel:
      pair.inner = received.outer
      pair.outer = .init(tpid: tunnelTPID, vid: tag, priority: 0)
    }
    return pair
  }

  /// `xbundle_includes_vlan`.
  func includes(_ pair: HostDatapath.VLANPair) -> Bool {
    switch mode {
    case .access: pair.outer.vid == tag && pair.inner.vid == 0
    case .trunk, .nativeTagged, .nativeUntagged: trunks(pair.outer.vid)
    case .dot1qTunnel:
      pair.outer.vid == tag && (customerVLANs.isEmpty || customerVLANs.contains(pair.inner.vid))
    }
  }

  /// `xvlan_output_translate`.
  func onOutput(_ pair: HostDatapath.VLANPair) -> HostDatapath.VLANPair {
    var popped = HostDatapath.VLANPair()
    popped.outer = pair.inner
    switch mode {
    case .access: return HostDatapath.VLANPair()
    case .trunk, .nativeTagged: return pair
    case .nativeUntagged: return pair.outer.vid == tag ? popped : pair
    case .dot1qTunnel: return popped
    }
  }
}
