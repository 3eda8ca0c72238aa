import Observations

/// Points that show the same copy of a frame: devices in series, and several captures of one device.
extension TrajectoryResolver {
  /// Two captures of one interface stamp a frame no further apart than this, in nanoseconds.
  static var doubleRecording: Int64 { 20_000 }

  /// The sighting at another tunnel point of the host that shows the same copy of the frame: devices in series show
  /// each copy once, and of devices side by side only one does.
  func seriesSighting(of seen: Observation, _ point: Topology.Point, _ group: [Observation]) -> Int? {
    guard topology.tunnelPoints[Int(point.host)].count > 1 else { return nil }
    return tunnels.firstIndex { tunnel in
      guard tunnel.host == point.host, tunnel.points & point.tunnelBit == 0, tunnel.vni == seen.vni,
        tunnel.direction == seen.direction, seen.time &- tunnel.time < TrajectoryResolver.longestPassage
      else { return false }
      let other = group[Int(tunnel.observation)]
      return other.outerFrom == seen.outerFrom && other.outerTo == seen.outerTo && other.tunnelPort == seen.tunnelPort
    }
  }

  /// Whether another capture of the same interface shows the same frame at the same time.
  func isRecordedTwice(_ place: Int, _ group: [Observation]) -> Bool {
    let seen = group[place]
    var at = place
    while at > 0, seen.time &- group[at - 1].time <= TrajectoryResolver.doubleRecording {
      at -= 1
      let other = group[at]
      if other.point == seen.point, other.capture != seen.capture, other.vni == seen.vni,
        other.outerFrom == seen.outerFrom, other.outerTo == seen.outerTo, other.direction == seen.direction
      {
        return true
      }
    }
    return false
  }
}
