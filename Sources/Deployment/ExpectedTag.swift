extension Port {
  /// The access VLAN that the port should have: that of its network on its host. nil where no source says.
  public func expectedTag(in deployment: Deployment) -> UInt16? {
    if let network, let vlan = deployment.hosts[host].localVLANs[network] { return vlan }
    return recordedTag
  }
}
