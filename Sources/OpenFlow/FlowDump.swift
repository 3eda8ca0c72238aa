/// A dump of a bridge's flows.
public struct FlowDump: Sendable {
  public init() {}
}
/// One entry of `ovs-appctl fdb/show`.
public struct FDBEntry: Sendable {
  public init() {}
}
