/// One interface of a capture file (pcapng interface description; for pcap, the file header).
public struct CaptureInterface: Hashable, Sendable {
  /// LINKTYPE_ value (https://www.tcpdump.org/linktypes.html).
  public var linkType: UInt16
  /// 0 where the file sets no limit.
  public var snapLength: UInt32
  /// pcapng `if_name`; nil in pcap.
  public var name: String?
  public var description: String?
  /// pcapng `if_filter` as text, where the capture was filtered; a filter kept only as BPF code is named so.
  public var filter: String?
  /// From interface statistics blocks, where there are any; the last one holds.
  public var received: UInt64?
  /// Frames lost by the interface and by the operating system together.
  public var dropped: UInt64?

  public init(linkType: UInt16, snapLength: UInt32 = 0, name: String? = nil) {
    self.linkType = linkType
    self.snapLength = snapLength
    self.name = name
  }
}
