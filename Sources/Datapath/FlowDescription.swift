import OpenFlow
import Wire

/// Text for flows that the datapath learned itself, in the words of `ovs-ofctl dump-flows`.
extension InstalledFlow {
  func described(_ bridge: BridgeRuntime) -> String {
    var parts: [String] = []
    if priority != 32768 { parts.append("priority=\(priority)") }
    for term in terms { parts.append(describe(term, bridge)) }
    let list = actions.map { describe($0, bridge) }
    let match = parts.isEmpty ? "" : parts.joined(separator: ",") + " "
    return match + "actions=" + (list.isEmpty ? "drop" : list.joined(separator: ","))
  }

  private func describe(_ term: MatchTerm, _ bridge: BridgeRuntime) -> String {
    let isWhole = term.mask == term.field.allBits
    switch term.field {
    case .inPort: return "in_port=" + portName(UInt32(truncatingIfNeeded: term.value), bridge)
    case .vlanTCI where term.mask == 0x1fff && term.value & 0x1000 != 0: return "dl_vlan=\(term.value & 0xfff)"
    case .vlanTCI: return "vlan_tci=\(hex(term.value, digits: 4))" + (isWhole ? "" : "/" + hex(term.mask, digits: 4))
    case .ethernetDestination where isWhole: return "dl_dst=" + mac(term.value)
    case .ethernetSource where isWhole: return "dl_src=" + mac(term.value)
    default:
      return "\(term.field.name)=\(hex(term.value))" + (isWhole ? "" : "/" + hex(term.mask))
    }
  }

  private func describe(_ action: Action, _ bridge: BridgeRuntime) -> String {
    switch action {
    case .output(.number(let port)): return "output:" + portName(port, bridge)
    case .finTimeout(let idle, let hard):
      let parts = [idle > 0 ? "idle_timeout=\(idle)" : nil, hard > 0 ? "hard_timeout=\(hard)" : nil].compactMap { $0 }
      return "fin_timeout(" + parts.joined(separator: ",") + ")"
    case .output(.inPort): return "IN_PORT"
    case .output(.flood): return "FLOOD"
    case .output(.all): return "ALL"
    case .set(let field, let value, let mask):
      let shift = UInt128(mask.trailingZeroBitCount)
      let width = 128 - mask.leadingZeroBitCount - mask.trailingZeroBitCount
      let range = mask == field.allBits ? "[]" : width == 1 ? "[\(shift)]" : "[\(shift)..\(Int(shift) + width - 1)]"
      return "load:\(hex(value >> shift))->\(field.longName)\(range)"
    default: return "\(action)"
    }
  }

  private func portName(_ number: UInt32, _ bridge: BridgeRuntime) -> String {
    if number == PortState.localNumber { return "LOCAL" }
    guard let index = bridge.portByNumber[number] else { return "\(number)" }
    return bridge.strangers.contains(index) ? "\(number)" : "\"\(bridge.ports[index].name)\""
  }

  private func mac(_ value: UInt128) -> String { "\(MACAddress(rawValue: UInt64(truncatingIfNeeded: value)))" }

  private func hex(_ value: UInt128, digits: Int = 1) -> String {
    let text = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
