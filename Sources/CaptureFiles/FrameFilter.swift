internal import CPcap

/// A filter expression of tcpdump (pcap-filter(7)), compiled by libpcap.
public struct FrameFilter: Sendable {
  /// Why an expression was refused, in libpcap's words.
  public struct SyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    public var expression: String
    public var reason: String
    public var description: String { "filter '\(expression)': \(reason)" }
  }

  /// What a filter says of a frame.
  public enum Outcome: Sendable {
    case matches, differs
    /// It asks for bytes that are not there.
    case tooShort
  }

  public let expression: String
  private let program: [bpf_insn]
  /// The program with another value where it rejects: 0 then means that it read beyond the bytes.
  private let decisive: [bpf_insn]

  /// - Parameters:
  ///   - expression: host and network names in it are resolved by the system.
  ///   - linkType: LINKTYPE_ value of the frames that will be matched.
  ///   - snapLength: 0 for no limit.
  public init(expression: String, linkType: UInt16, snapLength: UInt32 = 0) throws(SyntaxError) {
    func refusal(_ reason: String) -> SyntaxError { SyntaxError(expression: expression, reason: reason) }
    guard !expression.utf8.contains(0) else { throw refusal("it contains a NUL") }
    let limit = snapLength == 0 || snapLength > 262_144 ? 262_144 : CInt(snapLength)
    // SAFETY: the handle is checked, used here only, and closed once on every path.
    guard let handle = unsafe pcap_open_dead(Self.dataLink(linkType), limit) else {
      throw refusal("libpcap has no memory left")
    }
    defer { unsafe pcap_close(handle) }
    var compiled = unsafe bpf_program()
    // SAFETY: handle is open; compiled is lent for the call; libpcap copies what it needs of the expression.
    guard unsafe pcap_compile(handle, &compiled, expression, 1, PCAP_NETMASK_UNKNOWN) == 0 else {
      // SAFETY: pcap_geterr returns a NUL-terminated text that lives as long as the handle; it is copied.
      throw refusal(unsafe String(cString: pcap_geterr(handle)))
    }
    // SAFETY: pcap_compile succeeded, so bf_insns points to bf_len instructions; they are copied, then freed once.
    program = unsafe Array(UnsafeBufferPointer(start: compiled.bf_insns, count: Int(compiled.bf_len)))
    unsafe pcap_freecode(&compiled)
    decisive = program.map { instruction in
      var instruction = instruction
      if instruction.code == UInt16(BPF_RET | BPF_K), instruction.k == 0 { instruction.k = 1 }
      return instruction
    }
    self.expression = expression
  }

  /// Whether the frame passes. What the capture cut off is read as not matching.
  /// - Parameter wireLength: what `len` and `greater` in the expression mean.
  public func matches(_ bytes: Span<UInt8>, wireLength: Int) -> Bool {
    Self.run(program, bytes, wireLength: wireLength) != 0
  }

  /// As `matches`, telling apart what does not match from what was cut off.
  public func outcome(_ bytes: Span<UInt8>, wireLength: Int) -> Outcome {
    switch Self.run(decisive, bytes, wireLength: wireLength) {
    case 0: .tooShort
    case 1: .differs
    default: .matches
    }
  }

  private static func run(_ program: [bpf_insn], _ bytes: Span<UInt8>, wireLength: Int) -> CUnsignedInt {
    let captured = UInt32(clamping: bytes.count)
    let wire = UInt32(clamping: wireLength)
    // SAFETY: program is what libpcap's compiler made, with another constant to return at most: its jumps stay within
    // it and it ends in a return; bpf_filter checks each access against the captured length, which is that of the
    // bytes lent (or, clamped, less).
    return unsafe program.withUnsafeBufferPointer { instructions in
      unsafe bytes.withUnsafeBufferPointer { frame in
        unsafe bpf_filter(instructions.baseAddress, frame.baseAddress, wire, captured)
      }
    }
  }

  /// What libpcap says of itself, version first among it.
  public static var libpcapVersion: String {
    // SAFETY: pcap_lib_version returns a constant, NUL-terminated text.
    unsafe String(cString: pcap_lib_version())
  }

  /// libpcap's own number of a link type: the two differ for raw IP (files say 101, handles of Linux say 12).
  private static func dataLink(_ linkType: UInt16) -> CInt {
    linkType == 101 ? DLT_RAW : CInt(linkType)
  }
}
