/// Readers for field references and values.
extension TextCursor {
  /// `NXM_OF_VLAN_TCI[0..11]`, `NXM_NX_REG0[3]`, `NXM_NX_TUN_ID[]` or a plain name.
  /// - Returns: nil, with the position unchanged, where the field is unknown.
  mutating func subfield() throws(FlowSyntaxError) -> Subfield? {
    let start = position
    let name = word()
    guard let spelling = FieldNames.table[name] else {
      position = start
      return nil
    }
    var result = Subfield(spelling.field, offset: 0, width: spelling.width)
    switch spelling.format {
    case .vlanVID, .vlanPCP:
      if spelling.field == .innerVLANTCI { result.offset = spelling.shift }
    default:
      // `NXM_OF_IP_TOS` covers the whole octet by number, and the DSCP in it by content.
      result.offset = spelling.shift
      if spelling.field == .ipTOS, spelling.shift == 0, spelling.width == 8 { result = Subfield(.ipTOS) }
    }
    guard take("[") else { return result }
    if take("]") { return result }
    let rangeStart = position
    let low = try uint8()
    var high = low
    if take("..") { high = try uint8() }
    try expect("]")
    guard low <= high, high < result.width else { throw failure("the field has no such bits", at: rangeStart) }
    result.offset += low
    result.width = high - low + 1
    return result
  }

  /// The value of a condition, `VALUE` or `VALUE/MASK`, in the field's own position.
  /// - Parameter whole: the mask where the text gives none.
  mutating func maskedValue(
    _ format: ValueFormat, whole: UInt128
  ) throws(FlowSyntaxError) -> (value: UInt128, mask: UInt128) {
    if take("ANY") || take("*") { return (0, 0) }
    switch format {
    case .integer, .port, .vlanVID, .vlanPCP:
      let start = position
      let value = try number()
      let mask = take("/") ? try number() : whole
      if value & ~whole != 0 { throw failure("the value does not fit the field", at: start) }
      return (value, mask & whole)
    case .mac:
      let value = try mac()
      return (value, take("/") ? try mac() : whole)
    case .ipv4:
      let value = try ipv4()
      guard take("/") else { return (value, whole) }
      return (value, try prefixOrMask(bits: 32) { cursor throws(FlowSyntaxError) in try cursor.ipv4() })
    case .ipv6:
      let value = try ipv6()
      guard take("/") else { return (value, whole) }
      return (value, try prefixOrMask(bits: 128) { cursor throws(FlowSyntaxError) in try cursor.ipv6() })
    case .connectionState: return try flags(FieldNames.connectionStates, whole: whole)
    case .tcpFlags: return try flags(FieldNames.tcpFlags, whole: whole)
    case .tunnelFlags: return try flags(FieldNames.tunnelFlags, whole: whole)
    case .fragment: return try fragment(whole: whole)
    }
  }

  /// What follows the slash of an address: a prefix length, or a mask in the address's own form.
  private mutating func prefixOrMask(
    bits: UInt8, _ address: (inout TextCursor) throws(FlowSyntaxError) -> UInt128
  ) throws(FlowSyntaxError) -> UInt128 {
    let start = position
    let text = word()
    let isAddress = peek == UInt8(ascii: ":") || text.utf8.contains(UInt8(ascii: "."))
    position = start
    if isAddress { return try address(&self) }
    let length = UInt8(truncatingIfNeeded: try number(upTo: UInt128(bits)))
    return bitMask(width: bits) & ~bitMask(width: bits - length)
  }

  /// `+new-est`, `new|trk` or `0x21/0x23`.
  private mutating func flags(
    _ names: [String], whole: UInt128
  ) throws(FlowSyntaxError) -> (value: UInt128, mask: UInt128) {
    if TextCursor.isDigit(peek) {
      let value = try number(upTo: whole)
      return (value, take("/") ? try number() & whole : whole)
    }
    var value: UInt128 = 0
    var mask: UInt128 = 0
    let signed = peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-")
    while true {
      var isSet = true
      if signed {
        if take("-") {
          isSet = false
        } else if !take("+") {
          break
        }
      }
      let bit = try flagBit(names)
      mask |= bit
      if isSet { value |= bit }
      if !signed, !take("|") { break }
    }
    return (value, signed ? mask & whole : whole)
  }

  private mutating func flagBit(_ names: [String]) throws(FlowSyntaxError) -> UInt128 {
    let start = position
    if take("[") {
      let bits = try number(upTo: 0xffff_ffff)
      try expect("]")
      return bits
    }
    while let byte = peek, TextCursor.isWord(byte), byte != UInt8(ascii: "-") { position += 1 }
    let name = string(start, position)
    if let index = names.firstIndex(of: name) { return UInt128(1) << UInt128(index) }
    throw failure("unknown flag '\(name)'", at: start)
  }

  private mutating func fragment(whole: UInt128) throws(FlowSyntaxError) -> (value: UInt128, mask: UInt128) {
    let start = position
    let text = word()
    switch text {
    case "no": return (0, 3)
    case "yes": return (1, 1)
    case "first": return (1, 3)
    case "later": return (3, 3)
    case "not_later": return (0, 2)
    default:
      position = start
      let value = try number(upTo: whole)
      return (value, take("/") ? try number() & whole : whole)
    }
  }
}
