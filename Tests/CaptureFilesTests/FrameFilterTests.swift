import CaptureFiles
import Testing

private func matches(_ filter: FrameFilter, _ bytes: [UInt8], _ wireLength: Int) -> Bool {
  filter.matches(bytes.span, wireLength: wireLength)
}

@Suite struct FrameFilterTests {
  /// Ethernet, IPv4, UDP 1000 → 4789, 50 bytes.
  static let udp: [UInt8] =
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x16, 0x3e, 0, 0, 1, 8, 0]
    + [0x45, 0, 0, 36, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
    + [0x03, 0xe8, 0x12, 0xb5, 0, 16, 0, 0] + [UInt8](repeating: 0, count: 8)

  @Test(
    arguments: [
      ("", true), ("udp", true), ("udp dst port 4789", true), ("udp src port 4789", false), ("arp", false),
      ("ether src fa:16:3e:00:00:01", true), ("ether broadcast", true), ("src host 192.0.2.1", true),
      ("net 192.0.2.0/24 and not host 192.0.2.9", true), ("less 50", true), ("less 49", false), ("greater 51", false),
      ("ip6 protochain 17", false),
    ] as [(String, Bool)])
  func expressions_match_as_in_tcpdump(expression: String, expected: Bool) throws {
    let filter = try FrameFilter(expression: expression, linkType: 1)
    #expect(matches(filter, Self.udp, 50) == expected)
  }

  @Test func wire_length_is_that_of_the_frame_not_of_the_capture() throws {
    let filter = try FrameFilter(expression: "greater 1000", linkType: 1)
    #expect(!matches(filter, Self.udp, 50))
    #expect(matches(filter, Self.udp, 1500))
  }

  @Test func what_was_cut_off_does_not_match() throws {
    let filter = try FrameFilter(expression: "udp dst port 4789", linkType: 1)
    for length in 0...Self.udp.count {
      #expect(matches(filter, Array(Self.udp.prefix(length)), 50) == (length >= 38), "\(length)")
    }
  }

  @Test func raw_and_cooked_frames_are_matched() throws {
    let packet = Array(Self.udp.dropFirst(14))
    #expect(matches(try FrameFilter(expression: "udp port 4789", linkType: 101), packet, 36))
    let cooked = [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 0xfa, 0x16, 0x3e, 0, 0, 1, 0, 0] + packet
    #expect(matches(try FrameFilter(expression: "udp port 4789", linkType: 276), cooked, 56))
  }

  @Test(arguments: ["udp porto 53", "host", "(", "len", "port 99999", "udp\0", "vlan 5000"])
  func wrong_expression_is_refused_with_a_reason(expression: String) {
    let error = #expect(throws: FrameFilter.SyntaxError.self) {
      try FrameFilter(expression: expression, linkType: 1)
    }
    #expect(error?.expression == expression)
    #expect(error?.reason.isEmpty == false)
  }

  @Test func syntax_errors_are_in_the_words_of_libpcap() {
    let error = #expect(throws: FrameFilter.SyntaxError.self) { try FrameFilter(expression: "udp and", linkType: 1) }
    #expect(error?.description == "filter 'udp and': can't parse filter expression: syntax error")
    #expect(FrameFilter.libpcapVersion.hasPrefix("libpcap version "))
  }

  @Test func unknown_link_type_is_refused() {
    #expect(throws: FrameFilter.SyntaxError.self) { try FrameFilter(expression: "udp", linkType: 60_000) }
  }

  static let expressions = ["arp", "icmp or icmp6", "ip and udp port 4789", "greater 100", "ether multicast"]

  @Test(
    .enabled(if: isInstalled("tcpdump"), "tcpdump is not installed"), arguments: expressions,
    ["clean-vxlan", "clean-sll2-any", "clean-pcapng-multi"])
  func recorded_captures_are_filtered_as_by_tcpdump(expression: String, bundle: String) throws {
    // tcpdump reads plain files only.
    for file in RecordedCaptures.files where file.hasPrefix(bundle + "/") && !file.hasSuffix(".gz") {
      let path = RecordedCaptures.root + "/" + file
      let capture = ReadCapture(path: path)
      let linkType = try #require(capture.interfaces.first).linkType
      // pcap-filter(7) cannot say this of cooked frames.
      guard let filter = try? FrameFilter(expression: expression, linkType: linkType) else { continue }
      let text = try #require(output(of: "tcpdump", ["-n", "-tt", "--nano", "-q", "-#", "-r", path, expression]))
      let matched = capture.frames.filter { matches(filter, $0.bytes, $0.wireLength) }
      #expect(text.split(separator: "\n").filter { $0.first != "\t" }.count == matched.count, "\(file)")
    }
  }
}
