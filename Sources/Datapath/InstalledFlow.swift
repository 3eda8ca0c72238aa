import OpenFlow

/// A flow in the datapath, with its ports resolved to numbers and its place in time.
struct InstalledFlow: Hashable, Sendable {
  var table: UInt8
  var priority: UInt16
  var cookie: UInt64
  /// Sorted by field; the port, if any, is a term on `inPort`.
  var terms: [MatchTerm]
  /// Conditions that cannot be evaluated.
  var hasUnknownConditions: Bool
  var actions: [Action]
  /// What its actions may be instead, where what was learned last is not certain.
  var alternatives: [[Action]] = []
  /// Nanoseconds; 0: never.
  var idleTimeout: Int64
  var hardTimeout: Int64
  /// When it was last refreshed, and last used: not before, and not after. `nil`: not known.
  var refreshedAfter: Int64?
  var refreshedBefore: Int64?
  var usedAfter: Int64?
  var usedBefore: Int64?
  /// It may be there or not.
  var isUncertain = false
  /// Conjunctive flows only say that one clause holds.
  var isConjunctive: Bool
  var text: String
  var line: Int

  enum Presence { case yes, no, maybe }

  /// Whether it is there at a time.
  func presence(at now: Int64) -> Presence {
    var result = isUncertain ? Presence.maybe : .yes
    for (timeout, after, before) in [
      (hardTimeout, refreshedAfter, refreshedBefore), (idleTimeout, usedAfter, usedBefore),
    ] where timeout > 0 {
      guard let after, let before else { continue }
      if now > before.addingSaturating(timeout) { return .no }
      if now > after.addingSaturating(timeout) { result = .maybe }
    }
    return result
  }

  /// Whether they have the same match and priority.
  func isSame(as other: InstalledFlow) -> Bool { priority == other.priority && terms == other.terms }

  /// Whether learning a flow of this match and priority changes nothing but the time.
  func isUnchanged(by new: InstalledFlow) -> Bool {
    idleTimeout == new.idleTimeout && hardTimeout == new.hardTimeout && actions == new.actions
      && (cookie == new.cookie || new.cookie == .max)
  }

  /// Whether it matters when it is used: it has an idle timeout, or may get one.
  var isIdleTimed: Bool {
    idleTimeout > 0 || actions.contains { if case .finTimeout = $0 { true } else { false } }
  }

  var hasTimeout: Bool { idleTimeout > 0 || hardTimeout > 0 }
}

extension Int64 {
  func addingSaturating(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }

  /// Seconds as nanoseconds.
  static func seconds(_ count: some BinaryInteger) -> Int64 {
    let (product, overflow) = Int64(clamping: count).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : product
  }
}
