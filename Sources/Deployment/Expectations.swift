/// What a regression run must find in a bundle: its `expect.yaml`.
public struct Expectations: Sendable {
  /// A finding, by what it must be: nil takes anything.
  public struct Finding: Sendable, Hashable {
    public var rule: String
    public var host: String?
    public var network: String?
    public var port: String?
    public var point: String?
    /// `error`, `warning` or `info`.
    public var severity: String?
    /// `proven`, `likely` or `suspected`.
    public var certainty: String?
    /// `cause` or `consequence`; a finding that must be there is a cause unless this says otherwise.
    public var role: String?
    public var count: Amount?
    public var copies: Amount?
    /// Must be part of what the report names as cause: host, bridge, `table=N` and text in one line.
    public var cause: String?
    /// Must be part of the message.
    public var message: String?

    public init(rule: String) { self.rule = rule }
  }

  /// A cell of the coverage table.
  public struct Cell: Sendable, Hashable {
    public var host: String
    public var network: String
    public var out: Amount?
    public var `in`: Amount?
    public var outWrong: Amount?
    public var inWrong: Amount?
    public var vlan: Amount?
    public var vni: Amount?

    public init(host: String, network: String) {
      self.host = host
      self.network = network
    }
  }

  /// Path below the bundle, or as it was given.
  public var file: String
  /// `pass`, `fail` or `inconclusive`.
  public var verdict: String?
  /// Each must be there, one for one.
  public var findings: [Finding] = []
  /// May be there above info; anything else fails the run. Consequences unless `role` says otherwise.
  public var allow: [Finding] = []
  /// Must not be there, of whatever severity.
  public var never: [Finding] = []
  public var coverage: [Cell] = []
  /// `HOST/NETWORK` cells that must be exercised for a pass, as with `--require`.
  public var require: [String] = []
  /// As with `--fail-on`.
  public var failOn: String?
  /// How many inputs could not be read; none unless this says otherwise.
  public var inputErrors: Amount?

  public init(file: String) { self.file = file }
}

/// A number of something, exact or within bounds: `42`, `40..44`, `">0"`, `">=3"`, `"<9"`, `"<=9"`.
public struct Amount: Sendable, Hashable, CustomStringConvertible {
  public var bounds: ClosedRange<UInt64>

  public init(_ bounds: ClosedRange<UInt64>) { self.bounds = bounds }

  /// nil where the text is no amount.
  public init?(_ text: some StringProtocol) {
    let text = String(text.filter { !$0.isWhitespace })
    if let range = text.firstRange(of: "..") {
      guard let low = unsignedNumber(text[..<range.lowerBound]), let high = unsignedNumber(text[range.upperBound...]),
        low <= high
      else { return nil }
      bounds = low...high
    } else if text.hasPrefix(">="), let value = unsignedNumber(text.dropFirst(2)) {
      bounds = value...UInt64.max
    } else if text.hasPrefix("<="), let value = unsignedNumber(text.dropFirst(2)) {
      bounds = 0...value
    } else if text.hasPrefix(">"), let value = unsignedNumber(text.dropFirst()), value < .max {
      bounds = value + 1...UInt64.max
    } else if text.hasPrefix("<"), let value = unsignedNumber(text.dropFirst()), value > 0 {
      bounds = 0...value - 1
    } else if let value = unsignedNumber(text) {
      bounds = value...value
    } else {
      return nil
    }
  }

  public func contains(_ value: UInt64) -> Bool { bounds.contains(value) }

  public var description: String {
    if bounds.lowerBound == bounds.upperBound { return "\(bounds.lowerBound)" }
    if bounds.upperBound == .max { return bounds.lowerBound == 1 ? ">0" : ">=\(bounds.lowerBound)" }
    return bounds.lowerBound == 0 ? "<=\(bounds.upperBound)" : "\(bounds.lowerBound)..\(bounds.upperBound)"
  }
}
