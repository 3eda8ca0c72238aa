extension Port {
  /// The access VLAN that the port should have: that of its network on its host. nil where no source says.
  public func expectedTag(in deployment: Deployment) -> UInt16? {
    if let network, let vlan = deployment.hosts[host].localVLANs[network] { return vlan }
    return recordedTag
  }

  /// The first tag that was installed and is not the one that the port should have had at that time; nil where all
  /// is well, or nothing is known. A port still on the dead VLAN before, and rightly bound after, was being plugged.
  public func wrongTag(in deployment: Deployment) -> (installed: UInt16, expected: UInt16)? {
    let expected = expectedTag(in: deployment)
    let later = recordedTagAfter ?? expected
    if let tag = installedTagAfter, let later, tag != later { return (tag, later) }
    guard let tag = installedTag, let expected, tag != expected else { return nil }
    return tag == 4095 && installedTagAfter != nil ? nil : (tag, expected)
  }

  /// The ports of a trunk's subports whose tag is not the VLAN of their network.
  public func wrongSubportTags(in deployment: Deployment) -> [(patch: SubportPatch, installed: UInt16, expected: UInt16)] {
    subportPatches.compactMap { patch in
      guard let tag = patch.tag, let expected = deployment.hosts[host].localVLANs[patch.network] ?? patch.recordedTag,
        tag != expected, tag != patch.recordedTag
      else { return nil }
      return (patch, tag, expected)
    }
  }

  /// Whether a source says that the port is in use, or is not: `ovs-vsctl show` does not.
  public var isUseKnown: Bool { uuid != nil || network != nil }

  /// Whether the port was left on the VLAN that the agent gives to ports that it could not bind.
  public var isDead: Bool { active && (installedTagAfter ?? installedTag) == 4095 }
}
