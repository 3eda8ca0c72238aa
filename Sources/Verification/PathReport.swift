/// The answer to "why can't A reach B?": both directions, each with its stages.
public struct PathReport: Sendable {
  /// What a network engineer would conclude, in one sentence or two.
  public var conclusion: String
  public var directions: [PathDirection] = []

  public init(conclusion: String, directions: [PathDirection] = []) {
    self.conclusion = conclusion
    self.directions = directions
  }
}

public struct PathDirection: Sendable {
  public var from: String
  public var to: String
  public var stages: [PathStage] = []

  public init(from: String, to: String, stages: [PathStage] = []) {
    self.from = from
    self.to = to
    self.stages = stages
  }
}

/// One kind of exchange, at the points in the order in which its frames cross them.
public struct PathStage: Sendable {
  /// `ARP`, `ND`, `traffic`, …
  public var what: String
  public var points: [PathPoint] = []

  public init(what: String, points: [PathPoint] = []) {
    self.what = what
    self.points = points
  }
}

public struct PathPoint: Sendable, Hashable {
  /// `test tap`, `host1 eth1`, …
  public var place: String
  /// Frames that ask, and frames that answer. For traffic: there, and back.
  public var requests: UInt64
  public var answers: UInt64
  /// May be empty.
  public var note: String
  public var mark: PathStep.Mark

  public init(place: String, requests: UInt64, answers: UInt64, note: String = "", mark: PathStep.Mark) {
    self.place = place
    self.requests = requests
    self.answers = answers
    self.note = note
    self.mark = mark
  }
}
