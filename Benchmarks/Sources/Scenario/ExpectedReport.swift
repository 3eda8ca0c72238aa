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

  public init(frames: UInt64, seed: UInt64, fault: Fault? = nil) {
    self.frames = frames
    self.seed = seed
    self.fault = fault
  }
}
