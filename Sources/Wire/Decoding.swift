/// Decodes one captured frame.
/// - Parameters:
///   - bytes: what was captured.
///   - wireLength: how long the frame was on the wire; never less than `bytes.count` is assumed.
///   - linkType: LINKTYPE_ value: 1 Ethernet, 113 Linux cooked v1, 276 Linux cooked v2.
///   - tunnels: which UDP ports are opened as overlay, once.
public func decode(
  _ bytes: Span<UInt8>, wireLength: Int, linkType: UInt16, tunnels: TunnelPorts, into frame: inout DecodedFrame
) {
  frame = DecodedFrame()
}
