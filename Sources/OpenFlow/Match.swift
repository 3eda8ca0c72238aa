/// One condition of a match: the field's bits under `mask` equal `value`.
public struct MatchTerm: Hashable, Sendable, BitwiseCopyable {
  public var field: Field
  /// Zero outside `mask`.
  public var value: UInt128
  /// Never zero.
  public var mask: UInt128

  public init(field: Field, value: UInt128, mask: UInt128) {
    self.field = field
    self.value = value & mask
    self.mask = mask
  }
}

/// What a flow matches. Terms are sorted by field and there is one term per field, so that the same match
/// in two spellings gives equal values.
public struct Match: Hashable, Sendable {
  public private(set) var terms: [MatchTerm] = []
  public var inPort: PortReference?
  /// Conditions on fields that lanecheck does not know, as in the text: whether a frame meets them cannot
  /// be said.
  public var unknown: [String] = []

  public init() {}

  public var isCatchAll: Bool { terms.isEmpty && inPort == nil && unknown.isEmpty }

  /// Adds a condition, merging it with one on the same field.
  /// - Returns: false where it contradicts what is there.
  @discardableResult
  public mutating func add(_ field: Field, value: UInt128, mask: UInt128) -> Bool {
    if mask == 0 { return true }
    var index = terms.count
    while index > 0, terms[index - 1].field > field { index -= 1 }
    if index > 0, terms[index - 1].field == field {
      let old = terms[index - 1]
      if (old.value ^ value) & old.mask & mask != 0 { return false }
      terms[index - 1] = MatchTerm(field: field, value: old.value | (value & mask), mask: old.mask | mask)
      return true
    }
    terms.insert(MatchTerm(field: field, value: value, mask: mask), at: index)
    return true
  }

  /// Adds a condition; of what there is on the same field, the bits under `mask` are replaced.
  public mutating func overwrite(_ field: Field, value: UInt128, mask: UInt128) {
    guard let index = terms.firstIndex(where: { $0.field == field }) else {
      add(field, value: value, mask: mask)
      return
    }
    let old = terms[index]
    terms[index] = MatchTerm(field: field, value: old.value & ~mask | value & mask, mask: old.mask | mask)
  }

  /// The condition on a field.
  public subscript(field: Field) -> MatchTerm? { terms.first { $0.field == field } }

  /// The value of a field that is matched in all its bits.
  public func exact(_ field: Field) -> UInt128? {
    guard let term = self[field], term.mask == field.allBits else { return nil }
    return term.value
  }

  /// The VID that the match asks for, whatever its spelling; nil where it asks for none, or for an
  /// untagged frame.
  public var vlanID: UInt16? {
    guard let term = self[.vlanTCI], term.mask & 0x0fff == 0x0fff else { return nil }
    if term.mask & 0x1000 != 0, term.value & 0x1000 == 0 { return nil }
    return UInt16(truncatingIfNeeded: term.value & 0x0fff)
  }

  /// Gives conditions in the older spelling of ARP matches (`arp,nw_src=…,nw_proto=…`) their own fields.
  mutating func settleAliases() {
    guard let type = exact(.etherType), type == 0x0806 || type == 0x8035 else { return }
    guard terms.contains(where: { $0.field.arpAlias != nil }) else { return }
    let old = terms
    terms = []
    for term in old { add(term.field.arpAlias ?? term.field, value: term.value, mask: term.mask) }
    // An 8-bit protocol number becomes a 16-bit operation.
    if let term = self[.arpOperation], term.mask == 0xff {
      add(.arpOperation, value: term.value, mask: 0xffff)
    }
  }
}

extension Field {
  fileprivate var arpAlias: Field? {
    switch self {
    case .ipv4Source: .arpSenderAddress
    case .ipv4Destination: .arpTargetAddress
    case .ipProtocol: .arpOperation
    default: nil
    }
  }
}
