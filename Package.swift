// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "clusca",
  products: [.executable(name: "clusca", targets: ["clusca"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),

    // From the ground up: each target may import only what stands above it.
    .target(name: "StrictJSON"),
    .target(name: "CKernels"),
    .target(name: "Tensors", dependencies: ["CKernels", "COpenBLAS", "StrictJSON"]),
    .target(name: "Media", dependencies: ["CPNG", "StrictJSON"]),
    .target(name: "FeatureCaching", dependencies: ["Tensors", "CKernels"]),
    .target(name: "Conditioning", dependencies: ["Tensors", "StrictJSON"]),
    .target(name: "Autoencoders", dependencies: ["Tensors", "CKernels", "COpenBLAS", "StrictJSON"]),
    .target(name: "Transformers", dependencies: ["Tensors", "FeatureCaching", "StrictJSON"]),
    .target(
      name: "Rendering",
      dependencies: ["Tensors", "FeatureCaching", "Conditioning", "Autoencoders", "Transformers", "StrictJSON"]),
    .target(name: "Verification", dependencies: ["Rendering", "StrictJSON"]),
    // The trained models that come with the package.
    .target(name: "DefaultModels", resources: [.copy("flux")]),
    .executableTarget(
      name: "clusca",
      dependencies: [
        "Autoencoders", "Conditioning", "DefaultModels", "FeatureCaching", "Rendering", "Tensors", "Transformers",
        "Verification", "Media",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "StrictJSON"]),
    .testTarget(name: "MediaTests", dependencies: ["Media", "StrictJSON"]),
    .testTarget(name: "FeatureCachingTests", dependencies: ["FeatureCaching"]),
    .testTarget(name: "ConditioningTests", dependencies: ["Conditioning", "Tensors", "StrictJSON"]),
    .testTarget(name: "AutoencodersTests", dependencies: ["Autoencoders", "Tensors", "StrictJSON"]),
    .testTarget(name: "TransformersTests", dependencies: ["Transformers"]),
    .testTarget(name: "RenderingTests", dependencies: ["Rendering", "Verification"]),
    .testTarget(name: "CommandLineTests", dependencies: ["clusca", "Media", "Tensors", "StrictJSON"]),
  ]
)
