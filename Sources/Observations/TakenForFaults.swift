/// What is ordinary and a regression run takes for a fault all the same, to see whether its bundles notice.
public struct TakenForFaults: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Checksums that are unfinished where frames are sent.
  public static let unfinishedAtSenders = TakenForFaults(rawValue: 1 << 0)
  /// Headers that captures cut.
  public static let cutHeaders = TakenForFaults(rawValue: 1 << 1)
  /// Errors about packets that are no tunnel's.
  public static let othersErrors = TakenForFaults(rawValue: 1 << 2)
  /// GRE between VTEPs that carries no frames of guests.
  public static let foreignGRE = TakenForFaults(rawValue: 1 << 3)
  /// Tunnels at guests' ports.
  public static let guestsOverlays = TakenForFaults(rawValue: 1 << 4)
  /// Fragments inside tunnels; those between VTEPs that are no tunnel's.
  public static let guestsFragments = TakenForFaults(rawValue: 1 << 5)
  public static let othersFragments = TakenForFaults(rawValue: 1 << 6)
  /// Checksums of TCP and UDP count as content; so does padding.
  public static let checksums = TakenForFaults(rawValue: 1 << 7)
  public static let padding = TakenForFaults(rawValue: 1 << 8)

  /// What changes digests.
  static let contents: TakenForFaults = [.checksums, .padding]
}
