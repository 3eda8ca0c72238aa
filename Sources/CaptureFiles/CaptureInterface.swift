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
  /// Frames that the packets themselves say were lost before them (`epb_dropcount`); nil where none says so.
  public var droppedBetween: UInt64?
  /// Bytes of frame check sequence at the end of each frame (pcap's file header, `if_fcslen`).
  public var checksumLength = 0

  /// Frames that the capture itself says it lost: the larger of its counts; nil where it has none.
  public var lost: UInt64? {
    guard dropped != nil || droppedBetween != nil else { return nil }
    return max(dropped ?? 0, droppedBetween ?? 0)
  }

  public init(linkType: UInt16, snapLength: UInt32 = 0, name: String? = nil) {
    self.linkType = linkType
    self.snapLength = snapLength
    self.name = name
  }
}
