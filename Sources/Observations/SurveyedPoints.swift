import CaptureFiles
import Deployment
import Wire

/// Which frames of which capture were seen where.
extension Survey {
  mutating func assignPoints() {
    for (index, capture) in result.deployment.captures.enumerated() {
      result.plan.routes.append(route(of: capture, result.interfaces[index], index))
    }
    preferDedicatedCaptures()
  }

  private mutating func route(
    of capture: CaptureSource, _ interfaces: [CaptureInterface], _ index: Int
  ) -> ObservationPlan.Route {
    // A capture that cannot be decoded sees nothing: it must not stand for a point.
    guard interfaces.isEmpty || interfaces.contains(where: { isDecoded(linkType: $0.linkType) }) else { return .none }
    let named = capture.interface.map { result.deployment.role(of: $0, on: capture.host).kind }
    // A file's name that is no interface's does not overrule the names inside.
    let namesInside = interfaces.contains { $0.name != nil && $0.name != capture.interface }
    if let interface = capture.interface, named != .any, named != .unknown || !namesInside {
      // Without MAC addresses only tunnels can be told from each other.
      let isBare = !interfaces.isEmpty && interfaces.allSatisfy { LinkType.isBareIP($0.linkType) }
      if isBare, named != .tunnel, named != .unknown { return .none }
      return .point(point(capture.host, interface, capture: index))
    }
    if interfaces.contains(where: { $0.linkType == 276 }) {
      var indices: [UInt32: Int] = [:]
      for device in result.deployment.hosts[capture.host].interfaces {
        guard let number = device.index else { continue }
        indices[number] = point(capture.host, device.name, capture: index)
      }
      return .indices(indices)
    }
    let names = interfaces.map(\.name)
    if names.contains(where: { $0 != nil && $0 != "any" }) {
      return .interfaces(
        interfaces.map { interface in
          guard let name = interface.name, name != "any", isDecoded(linkType: interface.linkType) else { return nil }
          return point(capture.host, name, capture: index)
        })
    }
    guard !interfaces.isEmpty else { return .none }
    return .point(point(capture.host, capture.interface ?? capture.name, capture: index))
  }

  private mutating func point(_ host: Int, _ interface: String, capture: Int) -> Int {
    if let known = result.plan.points.firstIndex(where: { $0.host == host && $0.interface == interface }) {
      result.plan.points[known].captures.append(capture)
      return known
    }
    let role = result.deployment.role(of: interface, on: host)
    var point = CapturePoint(host: host, interface: interface, kind: role.kind, port: role.port)
    point.captures = [capture]
    point.isFarEnd = result.deployment.isFarEnd(interface, role.kind, on: host)
    result.plan.points.append(point)
    return result.plan.points.count - 1
  }

  /// An interface with a capture of its own is not read from `any` as well: each frame would count twice.
  private mutating func preferDedicatedCaptures() {
    var dedicated = Array(repeating: false, count: result.plan.points.count)
    for route in result.plan.routes {
      if case .point(let point) = route { dedicated[point] = true }
    }
    for (index, route) in result.plan.routes.enumerated() {
      switch route {
      case .interfaces(let points):
        result.plan.routes[index] = .interfaces(points.map { $0.flatMap { dedicated[$0] ? nil : $0 } })
      case .indices(let points):
        result.plan.routes[index] = .indices(points.filter { !dedicated[$0.value] })
      case .point, .none: break
      }
    }
    for (index, point) in result.plan.points.enumerated() where dedicated[index] {
      result.plan.points[index].captures = point.captures.filter {
        if case .point = result.plan.routes[$0] { return true }
        return false
      }
    }
  }
}

extension ObservationPlan.Route {
  /// The point of a frame of this capture.
  func point(of record: FrameRecord, _ frame: DecodedFrame) -> Int? {
    switch self {
    case .none: nil
    case .point(let point): point
    case .interfaces(let points): record.interface < points.count ? points[record.interface] : nil
    case .indices(let points): points[frame.link.interfaceIndex]
    }
  }
}
