// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "clusca",
  targets: [
    // System libraries.
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),

    // From the ground up: each target may import only what stands above it.
    .target(name: "StrictJSON"),
    .target(name: "CKernels"),
    .target(name: "Tensors", dependencies: ["CKernels", "COpenBLAS", "StrictJSON"]),
    .target(name: "Media", dependencies: ["CPNG", "StrictJSON"]),

    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "StrictJSON"]),
    .testTarget(name: "MediaTests", dependencies: ["Media", "StrictJSON"]),
  ]
)
