/// One flow of a bridge, as a dump shows it.
public struct Flow: Hashable, Sendable {
  public var table: UInt8 = 0
  /// 32768 where the text gives none.
  public var priority: UInt16 = 32768
  public var cookie: UInt64 = 0
  public var match = Match()
  /// Empty: drop.
  public var actions: [Action] = []
  /// Since the flow was added or changed; nil where the dump has no statistics.
  public var durationNanoseconds: UInt64?
  public var packets: UInt64?
  public var bytes: UInt64?
  /// Seconds; 0: never.
  public var idleTimeout: UInt16 = 0
  public var hardTimeout: UInt16 = 0
  /// Seconds since the flow was last used, and since it was last refreshed. Dumps in OpenFlow 1.3 and
  /// later may carry neither; `hardAge` is left out where it equals the duration.
  public var idleAge: UInt32?
  public var hardAge: UInt32?
  public var importance: UInt16 = 0
  /// Words such as `send_flow_rem`.
  public var flags: [String] = []
  /// Line in the dump, from 1; 0 for flows that come from no text.
  public var line = 0
  /// Match and actions in the dump's own words, without statistics: `priority=1,dl_vlan=1 actions=…`.
  public var text = ""

  public init() {}
}
