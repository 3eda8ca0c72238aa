import OpenFlow
import Wire

/// What a trace tells beside the text of flows, as `ofproto/trace` does.
extension Run {
  /// A table has decided; what its flow's actions do belongs to it.
  mutating func begin(_ step: Step) {
    let index = steps.count
    if steps.indices.contains(currentStep) { steps[currentStep].events.append(.step(index)) }
    steps.append(step)
    currentStep = index
  }

  mutating func begin(action index: Int) {
    guard steps.indices.contains(currentStep) else { return }
    steps[currentStep].events.append(.action(index))
  }

  /// Tells what an action made of the packet. Actions that lead elsewhere have told it on their way.
  mutating func note(changesBy action: Action, from before: Packet, to after: Packet) {
    switch action {
    case .resubmit, .gotoTable, .conntrack, .clone, .output, .enqueue, .outputTruncated, .outputField, .learn: return
    default: break
    }
    let changes = before.changes(to: after)
    if !changes.isEmpty { note(changes.joined(separator: ", ")) }
  }

  mutating func note(leaving exit: Exit, by port: PortState) {
    guard wantsSteps else { return }
    switch port.kind {
    case .tunnel(let settings):
      let key = exit.tunnelID.map { ", tunnel ID \($0) (0x\(String($0, radix: 16)))" } ?? ""
      note("leaves by \(port.name): \(settings.kind.rawValue) to \(exit.remote)\(key)")
    case .device, .local, .patch: note("leaves by \(port.name)\(Run.tagText(exit.packet.tags))")
    }
  }

  private static func tagText(_ tags: VLANTags) -> String {
    tags.count == 0 ? "" : " with VLAN " + (0..<tags.held).map { "\(tags[$0].vid)" }.joined(separator: ", ")
  }
}

extension Packet {
  /// The fields that differ, with their new values, in the words of flow text.
  func changes(to after: Packet) -> [String] {
    func hex(_ value: UInt128) -> String { "0x" + String(value, radix: 16) }
    var changes: [String] = []
    if after.tag0 != tag0 || after.tag1 != tag1 {
      if let vid = after.vlanID {
        changes.append(vlanID == nil ? "tagged with VLAN \(vid)" : "VLAN \(vid)")
      } else if isTagged {
        changes.append("untagged")
      }
    }
    if after.source != source { changes.append("dl_src=\(after.source)") }
    if after.destination != destination { changes.append("dl_dst=\(after.destination)") }
    for field in Packet.told {
      let value = after.value(of: field)
      guard value != self.value(of: field) else { continue }
      switch field {
      case .arpSenderMAC, .arpTargetMAC:
        changes.append("\(field.name)=\(MACAddress(rawValue: UInt64(truncatingIfNeeded: value)))")
      case .ipv4Source, .ipv4Destination, .arpSenderAddress, .arpTargetAddress:
        changes.append("\(field.name)=\(IPAddress(v4: UInt32(truncatingIfNeeded: value)))")
      case .ipv6Source, .ipv6Destination: changes.append("\(field.name)=\(IPAddress(v6: value))")
      default: changes.append("\(field.name)=\(hex(value))")
      }
    }
    return changes
  }

  private static let told: [Field] = [
    .tunnelID, .metadata, .packetMark, .reg0, .reg1, .reg2, .reg3, .reg4, .reg5, .reg6, .reg7, .reg8, .reg9, .reg10,
    .reg11, .reg12, .reg13, .reg14, .reg15, .ipTTL, .ipTOS, .arpOperation, .arpSenderMAC, .arpTargetMAC,
    .arpSenderAddress, .arpTargetAddress, .transportSource, .transportDestination,
  ]
}

extension FlowReference {
  /// What the flow matches on, with its priority.
  public var matchText: String {
    if text.hasPrefix("actions=") { return "" }
    return text.firstRange(of: " actions=").map { String(text[..<$0.lowerBound]) } ?? text
  }

  /// The flow's actions one by one, as in its text; `drop` is one.
  public var actionTexts: [String] {
    let list: Substring
    if text.hasPrefix("actions=") {
      list = text.dropFirst(8)
    } else if let range = text.firstRange(of: " actions=") {
      list = text[range.upperBound...]
    } else {
      return []
    }
    var parts: [String] = []
    var part = ""
    var depth = 0
    for character in list {
      switch character {
      case "(": depth += 1
      case ")": depth -= 1
      case "," where depth <= 0:
        parts.append(part)
        part = ""
        continue
      default: break
      }
      part.append(character)
    }
    if !part.isEmpty { parts.append(part) }
    return parts
  }
}
