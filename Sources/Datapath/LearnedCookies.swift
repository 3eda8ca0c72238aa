import OpenFlow

/// Flows that `learn(…,delete_learned)` actions made: they go with the last flow that has such an action for their
/// table and cookie, and whatever else is in that table under that cookie goes too (`learned_cookies_update` in
/// ofproto/ofproto.c).
struct LearnedCookie: Hashable, Sendable {
  var table: UInt8
  var cookie: UInt64
}

extension BridgeRuntime {
  mutating func count(_ actions: [Action]) {
    LearnedCookie.visit(actions) { learnedCookies[$0, default: 0] += 1 }
  }

  mutating func discount(_ actions: [Action]) {
    if learnedCookies.isEmpty { return }
    var dead: [LearnedCookie] = []
    LearnedCookie.visit(actions) { key in
      guard let left = learnedCookies[key] else { return }
      learnedCookies[key] = left > 1 ? left - 1 : nil
      if left == 1 { dead.append(key) }
    }
    for key in dead {
      for index in flows.indices where flows[index].table == key.table && flows[index].cookie == key.cookie {
        if !freeSlots.contains(Int32(index)) { remove(Int32(index)) }
      }
    }
  }
}

extension LearnedCookie {
  /// Actions inside other actions count too.
  fileprivate static func visit(_ actions: [Action], _ each: (LearnedCookie) -> Void) {
    for action in actions {
      switch action {
      case .learn(let learn) where learn.deleteLearned: each(LearnedCookie(table: learn.table, cookie: learn.cookie))
      case .clone(let nested), .writeActions(let nested): visit(nested, each)
      case .conntrack(let tracked): visit(tracked.exec, each)
      default: break
      }
    }
  }
}
