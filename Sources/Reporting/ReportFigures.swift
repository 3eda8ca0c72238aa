import Verification

// Figures that several renderers show.
extension Report {
  /// Translations of the deployment (each host's VLAN → VNI and VNI → VLAN, for every network of which it
  /// has a port), and how many of them frames exercised.
  public var translations: (exercised: Int, total: Int) {
    var exercised = 0
    var total = 0
    for row in coverage where row.expected {
      total += 2
      if row.out > 0 { exercised += 1 }
      if row.in > 0 { exercised += 1 }
    }
    return (exercised, total)
  }

  /// Causes that are faults, their consequences, and remarks (causes of severity info).
  public var findingCounts: (causes: Int, consequences: Int, remarks: Int) {
    var counts = (causes: 0, consequences: 0, remarks: 0)
    for finding in findings {
      if finding.role == .consequence {
        counts.consequences += 1
      } else if finding.severity == .info {
        counts.remarks += 1
      } else {
        counts.causes += 1
      }
    }
    return counts
  }
}
