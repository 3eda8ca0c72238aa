import Deployment

/// Drafts a manifest for a bundle from its state, Neutron's answers and, where it has one, its own manifest.
public func draftManifest(_ options: VerifyOptions) throws(JobError) -> String {
  ManifestDraft.text(of: try load(options))
}
