/// What a right report of the generated bundle says, kept beside it as `NAME.generated.json`.
public struct ExpectedReport: Codable, Sendable {
  /// How often something happened, and how often the captures show it.
  public struct Count: Codable, Sendable {
    /// With nothing lost.
    public var sent: UInt64 = 0
    /// Every sighting that proves it was captured.
    public var seen: UInt64 = 0
    /// Sightings lost among identical frames sent within a second of each other. Which of those lacks its
    /// sighting cannot be told, so a report may differ from `seen` by this much either way.
    public var unsure: UInt64 = 0
  }

  /// One network on one host.
  public struct Cell: Codable, Sendable {
    public var host: String
    public var network: String
    public var localVLAN: UInt16
    public var vni: UInt32
    /// Trajectories that left for the other host, and those delivered here from it.
    public var out = Count()
    public var `in` = Count()
  }

  public struct File: Codable, Sendable {
    public var path: String
    public var frames: UInt64 = 0
    public var lost: UInt64 = 0
  }

  public struct Fault: Codable, Sendable {
    public var rule: String
    public var host: String
    public var network: String
    /// Trajectories.
    public var count = Count()
  }

  public var parameters: ScenarioParameters
  public var verdict: String
  public var frames: UInt64 = 0
  /// Frames that guests sent.
  public var trajectories = Count()
  public var floods: UInt64 = 0
  public var repeated: UInt64 = 0
  public var superframes: UInt64 = 0
  public var files: [File] = []
  public var cells: [Cell] = []
  public var fault: Fault?
}

/// What a bundle is generated from; the same parameters give the same bytes.
public struct ScenarioParameters: Codable, Sendable, Hashable {
  public enum Fault: String, Codable, Sendable, CaseIterable {
    /// compute1's flood flow of the first network sets the tunnel ID of the second.
    case wrongVNI = "wrong-vni"
  }
  /// About how many frames the captures hold together.
  public var frames: UInt64
  public var seed: UInt64
  public var fault: Fault?
  /// How far the second host's clock is ahead when the captures begin, in seconds.
  public var skew: Double
  /// How much faster it runs, in parts per million.
  public var drift: Double
  /// Guests hand some of their frames to the host in pieces longer than the network takes.
  public var superframes: Bool

  public init(
    frames: UInt64, seed: UInt64, fault: Fault? = nil, skew: Double = 0, drift: Double = 0, superframes: Bool = false
  ) {
    self.frames = frames
    self.seed = seed
    self.fault = fault
    self.skew = skew
    self.drift = drift
    self.superframes = superframes
  }

  /// What the second host's clock shows at a time.
  func far(_ time: Int64) -> Int64 {
    time + Int64(skew * 1e9) + Int64(Double(time - Traffic.start) * drift / 1e6)
  }

  /// Of a bundle of such frames.
  public var name: String {
    var name = "\(frames)-\(seed)"
    if let fault { name += "-\(fault.rawValue)" }
    if skew != 0 { name += "-skew\(skew)" }
    if drift != 0 { name += "-drift\(drift)" }
    return superframes ? name + "-superframes" : name
  }
}
