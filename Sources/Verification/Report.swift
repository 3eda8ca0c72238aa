/// The one value that every renderer shows: what a run found, and what supports it.
public struct Report: Sendable {
  public var verdict: Verdict = .pass
  /// Why the verdict is inconclusive, or what keeps a pass from covering more; plain sentences.
  public var reasons: [String] = []
  /// The bundle, as the user named it.
  public var bundle = ""
  /// The expression that frames had to match to be judged.
  public var filter: String?
  public var hosts: [String] = []
  public var findings: [Finding] = []
  public var coverage: [CoverageRow] = []
  public var captures: [CaptureSummary] = []
  public var clocks: [ClockSummary] = []
  public var trajectories = TrajectoryCounts()
  /// Errors of input that kept something from being read; each also names file and offset or line.
  public var inputErrors: [String] = []
  /// Notes on the state that are no errors of the network: contradictions, ignored files.
  public var notes: [String] = []
  /// The translation was inferred from the captures: there was no state or intent.
  public var inferred = false
  /// Only the installed state was held against intent: there are no frames, and no counts.
  public var isStatic = false
  /// Nanoseconds since 1970; nil where no frame was read.
  public var firstTime: Int64?
  public var lastTime: Int64?
  public var framesRead: UInt64 = 0

  public init() {}
}

public enum Verdict: String, Sendable, Codable { case pass, fail, inconclusive }

public enum Severity: String, Sendable, Comparable, CaseIterable, Codable {
  case info, warning, error
  private var rank: Int { self == .info ? 0 : self == .warning ? 1 : 2 }
  public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }
}

/// One fault with its evidence, under a rule.
public struct Finding: Sendable {
  public enum Role: String, Sendable { case cause, consequence }
  public enum Certainty: String, Sendable { case proven, likely, suspected }
  /// `f1`, `f2`, … in the order of the report.
  public var id = ""
  public var rule: String
  public var severity: Severity
  public var role = Role.cause
  /// `id` of the finding that this one follows from.
  public var causedBy: String?
  public var certainty = Certainty.proven
  public var host: String?
  public var network: String?
  public var port: String?
  /// `host/interface` of the point where it shows.
  public var point: String?
  /// Trajectories, and frames seen wrong.
  public var count: UInt64 = 0
  public var copies: UInt64 = 0
  /// Nanoseconds since 1970.
  public var first: Int64?
  public var last: Int64?
  /// Named values, in the order to show them.
  public var expected: [(key: String, value: ReportValue)] = []
  public var observed: [(key: String, value: ReportValue)] = []
  public var cause: Cause?
  /// One sentence that stands alone.
  public var message: String
  /// A few frames to look at first.
  public var examples: [FrameReference] = []
  /// Frames seen wrong, by file, ascending; cut at a bound, and then `framesComplete` is false.
  public var frames: [(file: String, numbers: [UInt64])] = []
  public var framesComplete = true
  /// The path of one example with the step that went wrong.
  public var path: [PathStep] = []
  /// What to look at next: commands or captures.
  public var next: [String] = []

  public init(rule: String, severity: Severity, message: String) {
    self.rule = rule
    self.severity = severity
    self.message = message
  }
}

public enum ReportValue: Sendable, Hashable {
  case number(Int64)
  case text(String)
  case list([String])
}

/// What did it.
public struct Cause: Sendable, Hashable {
  public enum Kind: String, Sendable {
    case flow
    case missingFlow = "missing-flow"
    case portTag = "port-tag"
    case tunnel
    case mirror
    /// Flows and tags are right; the datapath, the underlay or a stale dump is not.
    case datapath
    case underlay
    case sender
  }
  public var kind: Kind
  public var host: String?
  public var bridge: String?
  public var table: Int?
  /// The flow as dumped without its statistics, the port record, or a sentence.
  public var text: String
  /// File and line of the dump below the bundle.
  public var file: String?
  public var line: Int?

  public init(kind: Kind, host: String? = nil, bridge: String? = nil, table: Int? = nil, text: String) {
    self.kind = kind
    self.host = host
    self.bridge = bridge
    self.table = table
    self.text = text
  }
}

public struct FrameReference: Sendable, Hashable {
  /// Path below the bundle.
  public var file: String
  /// From 1.
  public var frame: UInt64
  public init(file: String, frame: UInt64) {
    self.file = file
    self.frame = frame
  }
}

/// One step of the path that a finding shows.
public struct PathStep: Sendable, Hashable {
  public enum Mark: String, Sendable { case passed, wrong, missing, unknown }
  /// `test tap`, `host1 eth1`, …
  public var place: String
  public var mark: Mark
  /// `VNI 64`, `VLAN 1`, `network other`; may be empty.
  public var detail: String
  public init(place: String, mark: Mark, detail: String = "") {
    self.place = place
    self.mark = mark
    self.detail = detail
  }
}

/// One host × network: what was exercised.
public struct CoverageRow: Sendable, Hashable {
  public var host: String
  public var network: String
  public var localVLAN: UInt16?
  public var vni: UInt32?
  /// Trajectories from local ports to a remote VTEP, and those delivered to local ports.
  public var out: UInt64 = 0
  public var `in`: UInt64 = 0
  /// Of those, how many went wrong.
  public var outWrong: UInt64 = 0
  public var inWrong: UInt64 = 0
  /// The host has a port of the network, so the cell can be exercised at all.
  public var expected = true

  public init(host: String, network: String, localVLAN: UInt16?, vni: UInt32?) {
    self.host = host
    self.network = network
    self.localVLAN = localVLAN
    self.vni = vni
  }
}

/// One capture file.
public struct CaptureSummary: Sendable, Hashable {
  public var file: String
  public var host: String
  public var interfaces: [String] = []
  /// Kinds of the points in it: tap, qvo, tunnel, …
  public var kinds: [String] = []
  public var frames: UInt64 = 0
  public var first: Int64?
  public var last: Int64?
  public var snapLength: UInt32 = 0
  /// Frames of which less was captured than was on the wire.
  public var cut: UInt64 = 0
  /// By the file's own counters: frames that the capture received, and that it lost; nil where it has none.
  public var received: UInt64?
  public var dropped: UInt64?
  /// Frames that came too far out of order to be judged, and that another capture of the same point shows too.
  public var late: UInt64 = 0
  public var repeated: UInt64 = 0
  public var error: String?

  public init(file: String, host: String) {
    self.file = file
    self.host = host
  }
}

/// How one host's clock relates to the reference host's.
public struct ClockSummary: Sendable, Hashable {
  public var host: String
  /// The host itself where nothing relates it to another.
  public var reference: String
  /// This host's clock minus the reference's, in nanoseconds, in the middle of the longest stretch in which it was
  /// not set, and its bound either way.
  public var offset: Int64
  /// When that was, in this host's own clock, in nanoseconds since 1970; nil for a reference.
  public var at: Int64?
  public var uncertainty: Int64
  public var grade: String
  /// How fast the offset grows, in parts per billion, and its bound either way.
  public var drift: Int64 = 0
  public var driftUncertainty: Int64 = 0
  public var steps: [Step] = []

  /// The clock was set: own times between which, and by how much, with its bound either way, in nanoseconds.
  public struct Step: Sendable, Hashable {
    public var before: Int64
    public var after: Int64
    public var size: Int64
    public var uncertainty: Int64
    /// It was by that much at least.
    public var isLeast: Bool

    public init(before: Int64, after: Int64, size: Int64, uncertainty: Int64, isLeast: Bool = false) {
      self.before = before
      self.after = after
      self.size = size
      self.uncertainty = uncertainty
      self.isLeast = isLeast
    }
  }

  public init(host: String, reference: String, offset: Int64, uncertainty: Int64, grade: String) {
    self.host = host
    self.reference = reference
    self.offset = offset
    self.uncertainty = uncertainty
    self.grade = grade
  }
}

public struct TrajectoryCounts: Sendable, Hashable {
  public var total: UInt64 = 0
  public var asExpected: UInt64 = 0
  public var unjudged: UInt64 = 0
  /// Reason → how many, for the unjudged.
  public var unjudgedReasons: [String: UInt64] = [:]
  /// Frames of other overlays and of the underlay itself, which are nobody's lane.
  public var otherFrames: UInt64 = 0
  /// Of those: frames of other overlays.
  public var otherOverlayFrames: UInt64 = 0

  public init() {}
}
