// swift-tools-version: 6.2
import PackageDescription

// Every room is built with the same rules: Swift 6 mode, visible existentials, no
// warnings. Unsafe expressions are allowed only where a SAFETY comment explains them.
let rules: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

func room(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: rules)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: rules)
}

let package = Package(
  name: "lanecheck",
  products: [
    .executable(name: "lanecheck", targets: ["lanecheck"]),
    .library(name: "CaptureFiles", targets: ["Wire", "CaptureFiles"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/CoreOffice/XMLCoder", from: "0.18.2"),
  ],
  targets: [
    .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    room("Wire", []),
    room("CaptureFiles", ["CPcap", "CZlib", "CZstd", "Wire"]),
    room("OpenFlow", ["Wire"]),
    room("Deployment", ["Wire", "CaptureFiles", "OpenFlow", .product(name: "Yams", package: "Yams")]),
    room("Observations", ["Wire", "CaptureFiles", "Deployment"]),
    room("Clocks", ["Wire", "Observations"]),
    room("Datapath", ["Wire", "OpenFlow", "Deployment"]),
    room("Correlation", ["Wire", "Deployment", "Observations", "Clocks"]),
    room("Verification", ["Wire", "OpenFlow", "Deployment", "Observations", "Clocks", "Datapath", "Correlation"]),
    room("Reporting", ["Wire", "Datapath", "Verification", .product(name: "XMLCoder", package: "XMLCoder")]),
    room(
      "Jobs",
      [
        "Wire", "CaptureFiles", "OpenFlow", "Deployment", "Observations", "Clocks", "Datapath", "Correlation",
        "Verification", "Reporting",
      ]),
    .executableTarget(
      name: "lanecheck",
      dependencies: ["Jobs", "Reporting", "Verification", "Wire", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: rules),
    tests("WireTests", ["Wire", "CaptureFiles"]),
    tests("CaptureFilesTests", ["CaptureFiles", "Wire"]),
    tests("OpenFlowTests", ["OpenFlow", "Wire"]),
    tests("DeploymentTests", ["Deployment", "CaptureFiles", "OpenFlow", "Wire"]),
    tests("ClocksTests", ["Clocks", "Observations"]),
    tests("DatapathTests", ["Datapath", "Deployment", "OpenFlow", "Wire"]),
    tests("CorrelationTests", ["Correlation", "Observations", "Deployment", "Wire", "CaptureFiles"]),
    tests("VerificationTests", ["Verification", "Jobs", "Reporting", "Deployment", "Wire", "CaptureFiles"]),
    tests("ReportingTests", ["Reporting", "Verification"]),
    tests(
      "NoiseTests",
      ["Jobs", "Verification", "Observations", "Deployment", "CaptureFiles", "Wire"]),
    tests(
      "RobustnessTests",
      ["Jobs", "Verification", "Correlation", "Observations", "Deployment", "CaptureFiles", "Wire"]),
    tests(
      "JobsTests", ["Jobs", "Datapath", "Reporting", "Clocks", "Observations", "Deployment", "CaptureFiles", "Wire"]),
    tests("LiveTests", ["Jobs", "Verification"]),
    tests("CommandTests", ["lanecheck", "Jobs", "Reporting", "Wire", "CaptureFiles"]),
  ]
)
