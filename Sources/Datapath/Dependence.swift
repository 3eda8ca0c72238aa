import OpenFlow

/// A set of fields.
struct FieldSet: Hashable, Sendable, BitwiseCopyable {
  private(set) var bits: UInt128 = 0

  init() {}

  init(_ fields: some Sequence<Field>) {
    for field in fields { insert(field) }
  }

  mutating func insert(_ field: Field) { bits |= UInt128(1) << UInt128(field.rawValue) }
  mutating func formUnion(_ other: FieldSet) { bits |= other.bits }

  /// In ascending order.
  var fields: [Field] {
    Field.allCases.filter { bits >> UInt128($0.rawValue) & 1 != 0 }
  }
}

/// What the way of a frame through the tables depended on, as Open vSwitch collects it in its wildcards
/// (`struct flow_wildcards`): two frames that agree in these fields as they came in, and that come before
/// `validUntil` to tables that have not changed, go the same way.
///
/// A field that an action writes counts too: what it was before then makes no difference that is overlooked.
struct Dependence: Sendable {
  var fields = FieldSet([.inPort, .tunnelDestination, .tunnelDestination6])
  /// When the first of the entries times out that the way made use of, in nanoseconds.
  var validUntil = Int64.max
  /// It depended on more than fields, time and tables: the way is not to be used for another frame.
  var isWhole = false

  mutating func expires(with flow: InstalledFlow, after now: Int64) {
    expires(flow.hardTimeout, from: flow.refreshedAfter, after: now)
    expires(flow.hardTimeout, from: flow.refreshedBefore, after: now)
    expires(flow.idleTimeout, from: flow.usedAfter, after: now)
    expires(flow.idleTimeout, from: flow.usedBefore, after: now)
  }

  private mutating func expires(_ timeout: Int64, from start: Int64?, after now: Int64) {
    guard timeout > 0, let end = start?.addingSaturating(timeout), end >= now else { return }
    validUntil = min(validUntil, end)
  }

  /// NORMAL looks at the MACs and all tags.
  mutating func noteSwitching(snooping: Bool) {
    for field in [Field.ethernetSource, .ethernetDestination, .vlanTCI, .innerVLANTCI] { fields.insert(field) }
    guard snooping else { return }
    for field in [Field.etherType, .ipv4Destination, .ipv6Destination] { fields.insert(field) }
  }

  private mutating func note(_ field: Field) {
    fields.insert(field)
    // Parts and views of what is kept elsewhere, and what decides whether a field is there at all.
    switch field {
    case .vlanVID, .vlanPCP: fields.insert(.vlanTCI)
    case .ipv4Source, .ipv4Destination, .ipv6Source, .ipv6Destination, .ipv6FlowLabel, .ipTTL, .ipTOS, .ipFragment,
      .ipProtocol, .arpOperation, .arpSenderAddress, .arpTargetAddress, .arpSenderMAC, .arpTargetMAC:
      fields.insert(.etherType)
    case .transportSource, .transportDestination, .tcpFlags, .icmpType, .icmpCode, .neighborTarget,
      .neighborSourceMAC, .neighborTargetMAC:
      for other in [Field.etherType, .ipProtocol, .ipFragment, .icmpType] { fields.insert(other) }
    default: break
    }
  }

  mutating func note(_ action: Action) {
    switch action {
    case .outputField(let part), .push(let part), .pop(let part): note(part.field)
    case .set(let field, _, _): note(field)
    case .move(let from, let to):
      note(from.field)
      note(to.field)
    case .pushVLAN, .popVLAN, .modVLANVID, .modVLANPCP:
      fields.insert(.vlanTCI)
      fields.insert(.innerVLANTCI)
    case .learn(let learn):
      // How many there are of them is no field.
      if learn.limit > 0 { isWhole = true }
      if let target = learn.resultDestination { note(target.field) }
      for spec in learn.specs {
        switch spec {
        case .matchField(_, let source), .loadField(let source, _), .output(let source): note(source.field)
        case .matchValue, .matchInPort, .loadValue: break
        }
      }
    case .conntrack, .conntrackClear, .checkPacketLarger, .group, .meter, .unknown: isWhole = true
    case .decrementTTL:
      note(.ipTTL)
    case .finTimeout: note(.tcpFlags)
    case .setInPort, .output, .outputTruncated, .enqueue, .controller, .resubmit, .gotoTable, .conjunction, .clone,
      .writeActions, .clearActions, .exit, .inert:
      break
    }
  }
}
