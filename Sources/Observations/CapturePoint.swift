import Deployment

/// A place where frames were captured: one interface of one host, whatever number of files it was written to.
public struct CapturePoint: Sendable {
  public var host: Int
  public var interface: String
  public var kind: PointKind
  /// The port (index into `Deployment.ports`) on whose path it lies.
  public var port: Int?
  /// Captures whose frames count for this point; others of the same interface are parallel witnesses.
  public var captures: [Int] = []
  /// The guest lies on the transmitting side: what goes out there comes from it.
  public var isFarEnd = false

  public init(host: Int, interface: String, kind: PointKind, port: Int?) {
    self.host = host
    self.interface = interface
    self.kind = kind
    self.port = port
  }

  /// Position on the path of a port, from the guest: a frame from the guest passes ascending ranks.
  public var rank: Int {
    switch kind {
    case .tap, .router: 0
    case .qbr: 1
    case .qvb: 2
    case .qvo: 3
    default: 9
    }
  }
}
