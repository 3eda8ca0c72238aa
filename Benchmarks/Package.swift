// swift-tools-version: 6.2
import PackageDescription

let rules: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "lanecheck-benchmarks",
  dependencies: [
    .package(name: "lanecheck", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    // The yardstick: nothing but pcap_next_ex over the same files.
    .executableTarget(name: "read-with-libpcap", linkerSettings: [.linkedLibrary("pcap")]),
    .executableTarget(name: "measure"),
    .target(
      name: "Scenario", dependencies: [.product(name: "CaptureFiles", package: "lanecheck")], swiftSettings: rules),
    .executableTarget(
      name: "benchmark",
      dependencies: ["Scenario", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: rules),
  ]
)
