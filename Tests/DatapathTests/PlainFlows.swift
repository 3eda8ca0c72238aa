import OpenFlow

@testable import Datapath

extension InstalledFlow {
  /// Without time, and without what only this side's text has.
  var plain: InstalledFlow {
    var copy = self
    (copy.refreshedAfter, copy.refreshedBefore, copy.usedAfter, copy.usedBefore) = (nil, nil, nil, nil)
    copy.text = ""
    copy.line = 0
    // OpenFlow 1.3 cannot say what the priority bits of a tag are that is not there.
    for index in copy.terms.indices {
      let term = copy.terms[index]
      if term.field == .vlanTCI, term.mask & 0x1000 != 0, term.value & 0x1000 == 0 {
        copy.terms[index] = MatchTerm(field: .vlanTCI, value: term.value & 0x1fff, mask: term.mask & 0x1fff)
      }
    }
    return copy
  }

  func told(_ bridge: BridgeRuntime) -> String {
    "table=\(table) cookie=\(cookie) idle=\(idleTimeout / 1_000_000_000) hard=\(hardTimeout / 1_000_000_000) "
      + described(bridge)
  }
}
