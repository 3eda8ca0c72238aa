/// Bonds: a frame passes the bond and one of its members.
extension Deployment {
  /// The bond that an interface is a member of, with all members that are known; nil where it is in none.
  func bond(of interface: String, on host: Int) -> (name: String, members: Set<String>)? {
    let devices = hosts[host].interfaces
    if let master = devices.first(where: { $0.name == interface })?.master {
      let kind = devices.first { $0.name == master }?.kind
      let isBond = kind.map { ["bond", "team"].contains($0) } ?? (master.hasPrefix("bond") || master.hasPrefix("team"))
      if isBond { return (master, Set(devices.filter { $0.master == master }.map(\.name))) }
    }
    for state in [hosts[host].before, hosts[host].after] {
      for port in state?.bridges.flatMap(\.ports) ?? [] where port.members.count > 1 && port.members.contains(interface) {
        return (port.name, Set(port.members))
      }
    }
    return nil
  }

  /// In which ways interfaces that were captured show all frames that pass them: each way as the interfaces that are
  /// needed for it. Members of a bond only together, since each frame passes one of them.
  public func wholeViews(of host: Int, among captured: [(point: Int, interface: String)]) -> [[Int]] {
    var views: [[Int]] = []
    var bonds: Set<String> = []
    for (point, interface) in captured {
      guard let bond = bond(of: interface, on: host) else {
        views.append([point])
        continue
      }
      guard bonds.insert(bond.name).inserted else { continue }
      let members = captured.filter { bond.members.contains($0.interface) }
      if members.count == bond.members.count { views.append(members.map(\.point)) }
    }
    return views
  }
}
