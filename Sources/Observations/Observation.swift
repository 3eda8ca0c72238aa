import Wire

/// One frame seen at one capture point: decoded, compact, and free of references to the process
/// that made it, so that it can be written out, sorted and judged elsewhere.
public struct Observation: Sendable, BitwiseCopyable {
  /// Where the frame was going as this point saw it.
  public enum Direction: UInt8, Sendable, BitwiseCopyable {
    case unknown
    /// At a guest-side point.
    case fromGuest, toGuest
    /// At a tunnel point: sent to the underlay, received from it.
    case out, `in`
  }

  /// What the direction rests on, strongest first.
  public enum Basis: UInt8, Sendable, BitwiseCopyable {
    case packetType, packetFlags, captureDirection, outerSource, order, ownership, none
  }

  /// What kind of frame it is, for classes of loss and for the path command.
  public enum Class: UInt8, Sendable, BitwiseCopyable {
    case other, arpRequest, arpReply, neighborSolicitation, neighborAdvertisement
    case icmpRequest, icmpReply, tcp, udp, fragment, rarp
  }

  /// What the run's filter says of a frame.
  public enum FilterOutcome: UInt16, Sendable, BitwiseCopyable {
    case passes, rejected
    /// The capture cut off what the filter asks for.
    case undecided
  }

  /// VID of the outermost tag on the (inner) frame.
  public var vid: UInt16 {
    get { bits & 0x0fff }
    set { bits = bits & 0xf000 | newValue & 0x0fff }
  }

  public var filter: FilterOutcome {
    get { FilterOutcome(rawValue: bits >> 12) ?? .passes }
    set { bits = bits & 0x0fff | newValue.rawValue << 12 }
  }

  /// Digest of source MAC, ethertype and content: equal wherever the same frame is seen.
  public var digest: UInt64
  /// Nanoseconds since 1970 in the reference host's clock.
  public var time: Int64
  public var source: MACAddress
  /// `zero` where the capture has none (cooked captures).
  public var destination: MACAddress
  /// Outer source MAC, at tunnel points.
  public var outerSource: MACAddress {
    get { MACAddress(rawValue: outer & 0xffff_ffff_ffff) }
    set { outer = outer & ~0xffff_ffff_ffff | newValue.rawValue }
  }

  /// Hash of addresses, protocol and ports of the (inner) packet: frames of one flow have the same. 0 for what has no
  /// flow.
  public var flow: UInt16 { UInt16(truncatingIfNeeded: outer >> 48) }

  /// In the lower 48 bits the outer source MAC, above them the flow.
  private(set) var outer: UInt64
  /// Frame number in its file, from 1.
  public var frame: UInt32
  public var capture: UInt16
  public var point: UInt16
  /// VNI or GRE key, at tunnel points.
  public var vni: UInt32
  /// Outer source and destination as indices into the run's `VTEPTable`.
  public var outerFrom: UInt16
  public var outerTo: UInt16
  /// Destination UDP port of the outer header; 0 for GRE.
  public var tunnelPort: UInt16
  /// In the lower 12 bits the VID of the outermost tag on the (inner) frame, above them what the filter said.
  private(set) var bits: UInt16
  /// Hash of the address that ARP or neighbour discovery asks or tells about; of other packets, of their selector. 0
  /// where there is none.
  public var target: UInt32
  /// Length of the (inner) frame on the wire, in bytes.
  public var length: UInt32
  public var tagCount: UInt8
  public var direction: Direction
  public var basis: Basis
  public var frameClass: Class
}

extension IPAddress {
  /// A 32-bit hash, never 0 for an address; the same in every run.
  public var shortHash: UInt32 {
    guard family != .none else { return 0 }
    let product = (low ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: high ^ 0xa076_1d64_78bd_642f)
    return UInt32(truncatingIfNeeded: product.high ^ product.low) | 1
  }
}
